"""The style sheet of what an answer may hold beside sentences: tables, code, formulas."""

from __future__ import annotations

ANSWER_STYLE = """
.hl-answer th, .hl-answer td { overflow-wrap: break-word; }
.hl-code { margin: 0 0 0.8rem; border: 1px solid var(--hl-line); border-radius: 0.5rem;
  background: var(--hl-soft); overflow: hidden; }
.hl-code-head { display: flex; justify-content: space-between; align-items: center;
  font-size: 0.78rem; color: var(--hl-muted); padding: 0.25rem 0.4rem 0 0.8rem; direction: ltr; }
.hl-answer .hl-code pre { margin: 0; border: 0; border-radius: 0; background: transparent;
  font-size: 0.85rem; }
.hl-answer .hl-code pre:focus-visible { outline: 2px solid var(--hl-straw);
  outline-offset: -2px; border-radius: 0.5rem; }
.hl-answer code { font-size: 0.9em; }
.hl-answer .hl-code code { font-size: inherit; }
.stTextInput [data-testid="InputInstructions"] { display: none; }
.hl-math { font-family: "Cambria Math", "STIX Two Math", "Latin Modern Math", "Libertinus Math",
  "Times New Roman", serif; font-size: 1.06em; unicode-bidi: isolate; }
.hl-math sub, .hl-math sup { font-size: 0.72em; line-height: 0; }
.hl-display { display: block; text-align: center; overflow-x: auto; overflow-y: hidden;
  padding: 0.5rem 0; margin: 0.2rem 0; }
.hl-tex { white-space: pre-wrap; }
.hl-frac { display: inline-flex; flex-direction: column; vertical-align: middle;
  text-align: center; font-size: 0.88em; line-height: 1.25; margin: 0 0.15em; }
.hl-frac > span:first-child { border-bottom: 1px solid currentColor; padding: 0 0.25em 0.1em; }
.hl-frac > span:last-child { padding: 0.1em 0.25em 0; }
.hl-over { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
.hl-overline { border-top: 1px solid currentColor; padding: 0 0.1em; }
.hl-boxed { border: 1px solid currentColor; border-radius: 0.2rem; padding: 0.1em 0.4em; }
.hl-big { font-size: 1.35em; vertical-align: -0.1em; margin-right: 0.1em; }
.hl-rows { display: inline-table; vertical-align: middle; text-align: start; padding: 0 0.3em; }
.hl-rows > span { display: table-row; }
.hl-rows > span > span { display: table-cell; padding: 0.15em 0.4em; }
.hl-aligned > span > span { padding-inline: 0; }
.hl-aligned > span > span:nth-child(odd) { text-align: right; }
.hl-left { border-left: 1px solid currentColor; border-radius: 0.4rem 0 0 0.4rem; }
.hl-right { border-right: 1px solid currentColor; border-radius: 0.4rem; }
"""
