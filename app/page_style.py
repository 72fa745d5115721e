"""How the pages look: Streamlit's theme as settings, and the style sheet of our own HTML.

The colours are those of a hayloft: warm paper, old wood, straw; green is kept
for what is proved and rust for what is not. No font, image or script is
fetched from elsewhere.
"""

from __future__ import annotations

from app.answer_style import ANSWER_STYLE
from app.direction_style import DIRECTION_STYLE

THEME: dict[str, str] = {
    "theme.light.primaryColor": "#8a5f10",
    "theme.light.backgroundColor": "#fdfcf8",
    "theme.light.secondaryBackgroundColor": "#f4f0e4",
    "theme.light.textColor": "#2a2620",
    "theme.light.linkColor": "#7a5410",
    "theme.light.borderColor": "#e4dcc8",
    "theme.light.sidebar.backgroundColor": "#f6f2e7",
    "theme.light.sidebar.secondaryBackgroundColor": "#ebe4d2",
    "theme.dark.primaryColor": "#e0b354",
    "theme.dark.backgroundColor": "#191713",
    "theme.dark.secondaryBackgroundColor": "#24211b",
    "theme.dark.textColor": "#ece6d9",
    "theme.dark.linkColor": "#e6c377",
    "theme.dark.borderColor": "#3a352b",
    "theme.dark.sidebar.backgroundColor": "#211e18",
    "theme.dark.sidebar.secondaryBackgroundColor": "#2d2921",
    "theme.baseRadius": "0.6rem",
    "theme.showSidebarBorder": "true",
    "theme.paddingTop": "1.5rem",
    "theme.sidebar.paddingTop": "0.5rem",
}

_STYLE = """
:root {
  --hl-reader: min(44rem, 43vw);
  --hl-line: light-dark(#e4dcc8, #3a352b);
  --hl-soft: light-dark(#f4f0e4, #24211b);
  --hl-muted: light-dark(#6b6354, #a79f8e);
  --hl-straw: light-dark(#8a5f10, #e0b354);
  --hl-straw-soft: light-dark(#f7ecd0, #3b3119);
  --hl-green: light-dark(#1d6a44, #84cfa3);
  --hl-green-soft: light-dark(#e1f2e7, #1d3327);
  --hl-rust: light-dark(#a03d12, #f2a47c);
  --hl-rust-soft: light-dark(#fbe7dc, #3d2519);
}
.hl-small { font-size: 0.82rem; color: var(--hl-muted); }
.hl-scope { overflow-wrap: anywhere; border-left: 3px solid var(--hl-straw);
  padding-left: 0.6rem; }
.hl-dropped { list-style: none !important; margin: 0 !important; padding: 0 !important;
  font-size: 0.88rem; }
.hl-dropped li { margin: 0.1rem 0 !important; padding: 0 0 0 0.7rem !important;
  overflow-wrap: anywhere; border-left: 3px solid var(--hl-line); }
.hl-dropped .hl-file-read { border-left-color: var(--hl-green); }
.hl-dropped .hl-file-reading, .hl-dropped .hl-waits { border-left-color: var(--hl-straw); }
.hl-dropped .hl-file-aside, .hl-dropped .hl-file-stuck { border-left-color: var(--hl-rust); }
.hl-question { white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 600; }
.hl-answer { line-height: 1.6; overflow-wrap: anywhere; }
.hl-answer p { margin: 0 0 0.7rem; }
.hl-answer ul, .hl-answer ol { margin: 0 0 0.7rem; padding-left: 1.5rem; }
.hl-answer li { margin: 0.15rem 0; }
.hl-answer h4, .hl-answer h5, .hl-answer h6 {
  font-size: 1rem; font-weight: 650; margin: 0.9rem 0 0.4rem; padding: 0; }
.hl-answer blockquote { margin: 0 0 0.7rem; padding-left: 0.9rem;
  border-left: 3px solid var(--hl-line); color: inherit; }
.hl-answer pre { background: var(--hl-soft); border: 1px solid var(--hl-line);
  border-radius: 0.5rem; padding: 0.6rem 0.8rem; overflow-x: auto; }
.hl-answer table { border-collapse: collapse; display: block; overflow-x: auto;
  margin: 0 0 0.8rem; }
.hl-answer th, .hl-answer td { border: 1px solid var(--hl-line); padding: 0.25rem 0.6rem; }
.hl-answer th { background: var(--hl-soft); text-align: left; }

.hl-cite { font: inherit; font-size: 0.74rem; font-weight: 650; line-height: 1.25;
  vertical-align: 0.12em; margin: 0 0.12rem; padding: 0.02rem 0.34rem; border-radius: 0.45rem;
  border: 1px solid var(--hl-line); background: var(--hl-soft); color: var(--hl-straw);
  cursor: pointer; }
.hl-cite.hl-verified { background: var(--hl-green-soft); color: var(--hl-green);
  border-color: color-mix(in srgb, var(--hl-green) 35%, transparent); }
.hl-cite.hl-unproved { background: var(--hl-rust-soft); color: var(--hl-rust);
  border: 1px dashed var(--hl-rust); }
.hl-cite.hl-near { background: var(--hl-straw-soft); color: var(--hl-rust);
  border: 1px solid var(--hl-rust); }
.hl-bare { font-size: 0.72rem; color: var(--hl-rust); border-bottom: 1px dotted var(--hl-rust);
  margin-left: 0.3rem; white-space: nowrap; cursor: help; }
.hl-cite:hover, .hl-chip:hover { filter: brightness(0.95); }
.hl-cite:focus-visible, .hl-chip:focus-visible, .hl-receipt summary:focus-visible,
.hl-more summary:focus-visible { outline: 2px solid var(--hl-straw); outline-offset: 2px; }

.hl-acts { display: flex; flex-wrap: wrap; gap: 0.3rem; align-items: center; margin-top: 0.5rem; }
.hl-act { font: inherit; font-size: 0.8rem; line-height: 1.3; min-height: 1.75rem;
  padding: 0.1rem 0.55rem; border-radius: 0.5rem; border: 1px solid var(--hl-line);
  background: transparent; color: var(--hl-muted); cursor: pointer; }
.hl-act:hover:not(:disabled) { background: var(--hl-soft); color: inherit; }
.hl-act:focus-visible { outline: 2px solid var(--hl-straw); outline-offset: 2px; }
.hl-act:disabled { opacity: 0.4; cursor: default; }
.hl-act[aria-pressed="true"] { background: var(--hl-straw-soft); border-color: var(--hl-straw); }
.hl-note { border-left: 3px solid var(--hl-straw); background: var(--hl-straw-soft);
  border-radius: 0.4rem; padding: 0.45rem 0.7rem; margin-top: 0.5rem; font-size: 0.9rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.hl-note strong { display: block; font-size: 0.75rem; color: var(--hl-muted); }
.hl-versions { display: inline-flex; align-items: center; gap: 0.3rem; font-size: 0.8rem;
  color: var(--hl-muted); }
.hl-excerpt { padding: 0 0.75rem 0.3rem; overflow-wrap: anywhere; }
.hl-excerpt mark { background: var(--hl-straw-soft); color: inherit; }

.hl-sources { margin: 0 0 0.8rem; }
.hl-source { display: flex; flex-wrap: wrap; align-items: center; gap: 0.3rem 0.4rem;
  margin-top: 0.35rem; font-size: 0.85rem; }
.hl-chip { font: inherit; font-size: 0.8rem; display: inline-flex; align-items: center;
  gap: 0.4rem; max-width: 100%; padding: 0.16rem 0.55rem 0.16rem 0.2rem; border-radius: 1rem;
  border: 1px solid var(--hl-line); background: var(--hl-soft); color: inherit;
  cursor: pointer; text-align: left; }
.hl-n { min-width: 1.25rem; text-align: center; font-weight: 650; font-size: 0.74rem;
  border-radius: 1rem; padding: 0 0.25rem; background: var(--hl-straw-soft);
  color: var(--hl-straw); }
.hl-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 22rem; }
.hl-place { color: var(--hl-muted); overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; max-width: 14rem; }
.hl-chip.hl-verified { border-color: color-mix(in srgb, var(--hl-green) 45%, transparent); }
.hl-chip.hl-verified .hl-n, .hl-chip.hl-verified .hl-mark { color: var(--hl-green);
  background: var(--hl-green-soft); }
.hl-chip.hl-unproved { border: 1px dashed var(--hl-rust); }
.hl-chip.hl-unproved .hl-n, .hl-chip.hl-unproved .hl-mark { color: var(--hl-rust);
  background: var(--hl-rust-soft); }
.hl-chip.hl-near { border: 1px solid var(--hl-rust); }
.hl-chip.hl-near .hl-n, .hl-chip.hl-near .hl-mark { color: var(--hl-rust);
  background: var(--hl-straw-soft); }
.hl-chip.hl-uncited { background: transparent; }
.hl-chip.hl-uncited .hl-n { background: transparent; color: var(--hl-muted); }
.hl-mark { font-weight: 700; border-radius: 1rem; padding: 0 0.25rem; }
.hl-more summary { cursor: pointer; font-size: 0.82rem; color: var(--hl-muted);
  margin-top: 0.35rem; }

.hl-foot { margin-top: 0.5rem; }
.hl-foot > div, .hl-foot > details { margin-top: 0.35rem; }
.hl-receipt { font-size: 0.82rem; color: var(--hl-muted); }
.hl-receipt summary { cursor: pointer; list-style: none; display: flex; align-items: center;
  gap: 0.7rem; border-radius: 0.4rem; }
.hl-receipt summary::-webkit-details-marker { display: none; }
.hl-receipt summary::after { content: attr(data-word) " ▾"; white-space: nowrap; }
.hl-receipt[open] summary::after { content: attr(data-word) " ▴"; }
.hl-sum { white-space: nowrap; font-variant-numeric: tabular-nums; }
.hl-bar { display: flex; flex: 1 1 6rem; height: 0.5rem; min-width: 4rem; overflow: hidden;
  border-radius: 0.3rem; border: 1px solid var(--hl-line); }
.hl-part { flex-basis: 0; min-width: 2px; }
.hl-part-rules { background: light-dark(#9a8f7a, #8d8371); }
.hl-part-documents { background: light-dark(#c68a17, #e0b354); }
.hl-part-history { background: light-dark(#5f86a8, #7fa7c9); }
.hl-part-question { background: light-dark(#2f7d57, #84cfa3); }
.hl-part-template, .hl-part-other { background: light-dark(#c9bfa8, #5c5546); }
.hl-part-reserve { background: repeating-linear-gradient(135deg,
  light-dark(#d9cdb2, #4a4335) 0 3px, light-dark(#f0e8d4, #2f2a21) 3px 6px); }
.hl-part-free { background: transparent; }
.hl-dot { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 0.2rem;
  margin-right: 0.5rem; border: 1px solid var(--hl-line); vertical-align: -0.08rem; }
.hl-table { border-collapse: collapse; margin: 0.6rem 0; color: inherit; }
.hl-table td { border: 0; padding: 0.1rem 1.2rem 0.1rem 0;
  font-variant-numeric: tabular-nums; }
.hl-table td + td { text-align: right; }
.hl-warn { color: var(--hl-rust); }
.hl-noread { border-left: 3px solid var(--hl-straw); padding-left: 0.6rem; }

.hl-notice { border: 1px solid var(--hl-line); border-left: 4px solid var(--hl-straw);
  border-radius: 0.5rem; background: var(--hl-soft); padding: 0.7rem 0.9rem;
  overflow-wrap: anywhere; margin: 0.2rem 0 0.5rem; }
[data-testid="stSidebar"] .hl-notice { font-size: 0.85rem; padding: 0.5rem 0.7rem; }
.hl-notice :not(pre) > code { font-size: 0.9em; padding: 0.05rem 0.3rem; border-radius: 0.3rem;
  background: light-dark(#fffdf7, #15130f); color: inherit; }
.hl-notice pre { margin: 0.5rem 0 0; padding: 0.4rem 0.6rem; border-radius: 0.4rem;
  background: light-dark(#fffdf7, #15130f); border: 1px solid var(--hl-line);
  white-space: pre-wrap; }
.hl-notice.hl-warn { border-left-color: var(--hl-rust); color: inherit; }
.hl-notice.hl-error { border-left-color: var(--hl-rust); background: var(--hl-rust-soft); }

.hl-wait { color: var(--hl-muted); animation: hl-breathe 1.6s ease-in-out infinite; }
.hl-progress { height: 0.35rem; max-width: 24rem; margin: 0.35rem 0 0.2rem; border-radius: 0.2rem;
  background: var(--hl-soft); border: 1px solid var(--hl-line); overflow: hidden; }
.hl-progress span { display: block; height: 100%; background: var(--hl-straw); }
.hl-clock { min-height: 1.3em; font-variant-numeric: tabular-nums; }
.hl-answer p:has(+ .hl-caret) { display: inline; }
.hl-caret { display: inline-block; width: 0.45rem; height: 1rem; vertical-align: -0.15rem;
  background: var(--hl-straw); border-radius: 1px; animation: hl-breathe 1s step-end infinite; }
@keyframes hl-breathe { 50% { opacity: 0.35; } }
@media (prefers-reduced-motion: reduce) { .hl-wait, .hl-caret { animation: none; } }

.hl-page { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.55; font-size: 0.92rem;
  padding: 0.9rem 1rem; border: 1px solid var(--hl-line); border-radius: 0.5rem;
  background: light-dark(#fffefb, #1d1a15); max-height: 62vh; overflow-y: auto; }
.hl-page:focus-visible { outline: 2px solid var(--hl-straw); }
.hl-passage { background: light-dark(#f8efd8, #332b18); box-decoration-break: clone; }
.hl-quote { background: light-dark(#ffd768, #6b5110); color: inherit; border-radius: 0.2rem;
  padding: 0.05rem 0; box-decoration-break: clone; }
.st-key-hl-reader { position: fixed; z-index: 999980; top: 3.75rem; right: 0; bottom: 0;
  width: var(--hl-reader); padding: 1rem 1.2rem 0.9rem; overflow-y: auto; flex-wrap: nowrap;
  background: light-dark(#fdfcf8, #191713); border-left: 1px solid var(--hl-line);
  box-shadow: -6px 0 18px rgb(0 0 0 / 8%); }
.stApp:has(.st-key-hl-reader) .stMain { width: calc(100% - var(--hl-reader)); }
.stApp:has(.st-key-hl-reader) .hl-others { display: none; }
.stApp:has(.st-key-hl-reader) [data-testid="stBottom"] [data-testid="stButtonGroup"] > div {
  flex-wrap: nowrap; overflow-x: auto; }
.stApp:has(.st-key-hl-reader) [data-testid="stBottom"] [data-testid="stButtonGroup"] button {
  padding-inline: 0.5rem; flex: 0 0 auto; }
.st-key-hl-reader > *:has(.hl-page) { flex: 1 1 16rem; min-height: 16rem; overflow: hidden; }
.st-key-hl-reader *:has(> .hl-page), .st-key-hl-reader > * *:has(.hl-page) { height: 100%; }
.st-key-hl-reader .hl-page { height: 100%; max-height: none; }
.st-key-hl-reader > *:has(> .stHtml > .hl-verdicts) { flex: 0 1 auto; max-height: 32vh;
  overflow-y: auto; }
.st-key-reader-head > *:first-child { flex: 1 1 auto; min-width: 0; }
.hl-reader-title { font-size: 1.2rem; font-weight: 650; padding: 0 0 0.15rem; margin: 0;
  overflow-wrap: anywhere; line-height: 1.25; }
.hl-cite[data-open], .hl-chip[data-open] { outline: 2px solid var(--hl-straw);
  outline-offset: 1px; }
.hl-picture { padding: 0; white-space: normal; background: #fff; }
.hl-canvas { position: relative; width: calc(100% * var(--hl-zoom, 1)); }
.hl-zoom { position: sticky; z-index: 2; top: 0.5rem; left: 0.5rem; height: 0; width: max-content;
  display: flex; gap: 0.3rem; color-scheme: light; }
.hl-zoom .hl-act { width: 1.9rem; height: 1.9rem; flex: none; font-weight: 650; background: #fffefb;
  color: #2a2620; border-color: #8d8371; opacity: 0.92; }
.hl-zoom .hl-act:hover:not(:disabled) { background: #f4f0e4; color: #2a2620; }
.hl-zoom .hl-act[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.hl-sheet { position: relative; line-height: 0; }
.hl-sheet img { width: 100%; height: auto; display: block; }
.hl-box { position: absolute; mix-blend-mode: multiply; border-radius: 0.15rem; }
.hl-box-quote { background: #ffd768; }
.hl-box-passage { background: #fbf3dd; }
.hl-box-nearby { background: #f4c3ad; }
.hl-nearby { background: var(--hl-straw-soft); color: inherit; border-radius: 0.2rem;
  border-bottom: 2px dashed var(--hl-rust); box-decoration-break: clone; }
.hl-compared { margin-top: 0.25rem; }
.hl-differs { font-weight: 700; border-radius: 0.2rem; padding: 0 0.1rem; }
del.hl-differs { background: var(--hl-rust-soft); color: var(--hl-rust); }
ins.hl-differs { background: var(--hl-green-soft); color: var(--hl-green); }
.hl-quoted { margin: 0.35rem 0; overflow-wrap: anywhere; }
.hl-quoted q { display: block; font-size: 0.9rem; margin-top: 0.2rem; }
.hl-verdict { display: inline-block; font-size: 0.8rem; font-weight: 650; border-radius: 1rem;
  padding: 0.08rem 0.6rem; background: var(--hl-soft); color: var(--hl-muted); }
.hl-verdict.hl-verified { background: var(--hl-green-soft); color: var(--hl-green); }
.hl-verdict.hl-near { background: var(--hl-straw-soft); color: var(--hl-rust);
  outline: 1px solid var(--hl-rust); }
.hl-verdict.hl-unproved { background: var(--hl-rust-soft); color: var(--hl-rust);
  outline: 1px dashed var(--hl-rust); }
.hl-keys { border-collapse: collapse; }
.hl-keys td { border: 0; padding: 0.25rem 1rem 0.25rem 0; vertical-align: top; }
.hl-keys kbd { font: inherit; font-size: 0.82rem; font-weight: 650; padding: 0.1rem 0.5rem;
  border-radius: 0.35rem; border: 1px solid var(--hl-line); border-bottom-width: 2px;
  background: var(--hl-soft); color: inherit; white-space: nowrap; }
.st-key-conversation-menu button [data-testid="stMarkdownContainer"] { position: absolute;
  width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
[data-testid="stTopNavLink"]:focus-visible, [data-testid="stSidebarNavLink"]:focus-visible {
  outline: 2px solid var(--hl-straw); outline-offset: 1px; }
.hl-brand { font-size: 1.35rem; font-weight: 700; letter-spacing: -0.01em; }
.hl-brand small { display: block; font-size: 0.8rem; font-weight: 400; letter-spacing: 0;
  color: var(--hl-muted); }
.hl-facts { font-size: 0.85rem; line-height: 1.5; overflow-wrap: anywhere; }
dl.hl-facts, .hl-facts dt, .hl-facts dd { margin: 0 !important; padding: 0 !important; }
.hl-facts dt { color: var(--hl-muted); font-size: 0.75rem; }
.hl-facts dd + dt { padding-top: 0.35rem !important; }
.hl-welcome { text-align: center; padding: 9vh 0 1rem; }
.hl-welcome h1 { font-size: 1.7rem; font-weight: 700; padding: 0; margin: 0 0 0.4rem; }
.hl-welcome p { color: var(--hl-muted); max-width: 34rem; margin: 0 auto; }
[data-testid="stStatusWidget"] { display: none; }
[data-testid="stSidebar"] .stButton button, [data-testid="stSidebar"] .stButton button > div,
[data-testid="stSidebar"] .stPopover button, [data-testid="stSidebar"] .stPopover button > div {
  justify-content: flex-start; text-align: left; width: 100%; }
[data-testid="stSidebar"] .stButton button[kind="tertiary"] { padding-inline: 0.75rem; }
[data-testid="stSidebar"] .stButton button[kind="tertiary"]:hover { background: var(--hl-line); }
[data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: 0.45rem; }
[data-testid^="stChatMessageAvatar"] { background: var(--hl-straw-soft); color: var(--hl-straw);
  border-color: var(--hl-line); }
[data-testid="stChatMessage"]:has(.hl-question) { background: var(--hl-soft); }
@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stBottom"],
  [data-testid="stExpandSidebarButton"], .stButton, .hl-acts, .hl-caret,
  [data-testid="stDialog"], .st-key-hl-reader { display: none !important; }
  .stApp:has(.st-key-hl-reader) .stMain { width: 100%; }
  .stApp, [data-testid="stAppViewContainer"], .stMain { position: static !important;
    height: auto !important; overflow: visible !important; display: block !important; }
  [data-testid="stChatMessage"] { break-inside: auto; }
  .hl-code .hl-act { display: none !important; }
  .hl-answer .hl-code pre, .hl-code code { white-space: pre-wrap !important;
    overflow-wrap: anywhere; }
  .hl-question { break-after: avoid; }
}
@media (max-width: 640px) {
  .hl-act { min-height: 2.2rem; }
  .hl-answer td { min-width: 5.5rem; }
  [data-testid="stChatMessage"] > [data-testid^="stChatMessageAvatar"] { display: none; }
  .hl-others { display: none; }
  [data-testid="stBottom"] [data-testid="stButtonGroup"] > div { flex-wrap: nowrap;
    overflow-x: auto; }
  [data-testid="stBottom"] [data-testid="stButtonGroup"] button { padding-inline: 0.6rem;
    flex: 0 0 auto; }
  .hl-name { max-width: 16rem; } .hl-place { max-width: 9rem; }
  .hl-page { max-height: 55vh; }
}
@media (max-width: 1100px) {
  :root { --hl-reader: min(42rem, 100vw); }
  .stApp:has(.st-key-hl-reader) .stMain { width: 100%; }
}
@media (max-width: 640px) { .st-key-hl-reader { top: 0; z-index: 1000000; } }
"""


def style_sheet(*, dark: bool) -> str:
    """The style sheet as HTML.

    Streamlit sets `color-scheme` on the app but not on its dialogs, which
    stand beside it: so it is said for the whole page, and `light-dark()`
    follows it everywhere.
    """
    scheme = "dark" if dark else "light"
    return (
        f"<style>:root {{ color-scheme: {scheme}; }}{_STYLE}{ANSWER_STYLE}{DIRECTION_STYLE}</style>"
    )
