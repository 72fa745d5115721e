"""The signs of formulas: what each command of TeX looks like."""

from __future__ import annotations

SIGNS: dict[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "infty": "∞", "partial": "∂", "nabla": "∇", "ell": "ℓ", "hbar": "ℏ", "emptyset": "∅",
    "degree": "°", "circ": "∘", "prime": "′", "angle": "∠", "forall": "∀", "exists": "∃",
    "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱",
    "sum": '<span class="hl-big">∑</span>', "prod": '<span class="hl-big">∏</span>',
    "int": '<span class="hl-big">∫</span>',
    "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "vert": "|", "Vert": "‖", "euro": "€", "pounds": "£", "textdollar": "$", "checkmark": "✓",
    "%": "%", "$": "$", "#": "#", "&": "&amp;", "_": "_", "{": "{", "}": "}", "|": "‖",
}  # fmt: skip

OPERATORS: dict[str, str] = {
    "=": "=", "+": "+", "-": "−", "<": "&lt;", ">": "&gt;", "*": "∗",
    "\\times": "×", "\\cdot": "·", "\\div": "÷", "\\pm": "±", "\\mp": "∓", "\\ast": "∗",
    "\\approx": "≈", "\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥", "\\ne": "≠",
    "\\neq": "≠", "\\equiv": "≡", "\\sim": "∼", "\\simeq": "≃", "\\propto": "∝", "\\ll": "≪",
    "\\gg": "≫", "\\lt": "&lt;", "\\gt": "&gt;", "\\in": "∈", "\\notin": "∉", "\\subset": "⊂",
    "\\subseteq": "⊆", "\\cup": "∪", "\\cap": "∩", "\\setminus": "∖", "\\land": "∧",
    "\\lor": "∨", "\\to": "→", "\\rightarrow": "→", "\\leftarrow": "←", "\\Rightarrow": "⇒",
    "\\Leftarrow": "⇐", "\\Leftrightarrow": "⇔", "\\implies": "⟹", "\\iff": "⟺",
    "\\mapsto": "↦", "\\mid": "∣", "\\parallel": "∥", "\\perp": "⊥",
}  # fmt: skip

NAMES = frozenset(
    "log ln lg exp sin cos tan cot arcsin arccos arctan max min lim sup inf det gcd mod Pr".split()
)

SPACES: dict[str, str] = {
    "\\,": "\N{THIN SPACE}",
    "\\:": "\N{THIN SPACE}",
    "\\;": "\N{FOUR-PER-EM SPACE}",
    "\\ ": " ",
    "\\!": "",
    "\\quad": "\N{EM SPACE}",
    "\\qquad": "\N{EM SPACE}\N{EM SPACE}",
}

SKIPPED = frozenset(
    "displaystyle textstyle limits nolimits big Big bigg Bigg bigl bigr Bigl Bigr nonumber".split()
)

WORDS: dict[str, str] = {
    "text": "span", "mathrm": "span", "textrm": "span", "operatorname": "span", "mbox": "span",
    "mathsf": "span", "textbf": "b", "mathbf": "b", "boldsymbol": "b", "textit": "i",
    "mathit": "i", "mathcal": "i", "mathbb": "b",
}  # fmt: skip

ACCENTS: dict[str, str] = {
    "hat": "\N{COMBINING CIRCUMFLEX ACCENT}",
    "tilde": "\N{COMBINING TILDE}",
    "dot": "\N{COMBINING DOT ABOVE}",
    "vec": "\N{COMBINING RIGHT ARROW ABOVE}",
}

FENCES: dict[str, str] = {
    "(": "(", ")": ")", "[": "[", "]": "]", "|": "|", "\\{": "{", "\\}": "}", "\\|": "‖",
    "/": "/", "\\langle": "⟨", "\\rangle": "⟩", "\\lfloor": "⌊", "\\rfloor": "⌋",
    "\\lceil": "⌈", "\\rceil": "⌉", "\\vert": "|",
}  # fmt: skip
