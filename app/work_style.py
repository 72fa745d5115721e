"""The style sheet of the pages beside the chat: lists, runs, bars, facts.

It stands on the colours of `app.page_style`.
"""

from __future__ import annotations

from app.page_style import style_sheet

_STYLE = """
<style>
.hl-title { font-size: 1.5rem; font-weight: 700; letter-spacing: -0.01em; margin: 0;
  padding: 0; }
.hl-head { font-size: 1.05rem; font-weight: 650; margin: 0.4rem 0 0; padding: 0; }
.hl-list { overflow-x: auto; }
.hl-docs { border-collapse: collapse; width: 100%; font-size: 0.88rem; color: inherit; }
.hl-docs th { text-align: left; white-space: nowrap; font-size: 0.75rem; font-weight: 600;
  color: var(--hl-muted); border: 0; border-bottom: 1px solid var(--hl-line);
  padding: 0.2rem 0.7rem 0.3rem 0; }
.hl-docs td { border: 0; border-bottom: 1px solid var(--hl-line); vertical-align: top;
  padding: 0.45rem 0.7rem 0.45rem 0; font-variant-numeric: tabular-nums; }
.hl-docs td:not(:first-child) { white-space: nowrap; }
.hl-docs td:first-child { width: 100%; overflow-wrap: anywhere; min-width: 14rem; }
.hl-runs td:first-child { width: auto; white-space: nowrap; min-width: 0; }
.hl-runs td:last-child { white-space: normal; width: 100%; overflow-wrap: anywhere; }
.hl-docs.hl-plain { width: auto; }
.hl-docs.hl-plain td:first-child { width: auto; min-width: 0; white-space: nowrap; }
.hl-docs td.hl-wrap { white-space: normal; overflow-wrap: anywhere; }
.hl-pick { font: inherit; font-weight: 600; color: inherit; background: none; border: 0;
  padding: 0; margin: 0; cursor: pointer; text-align: left; overflow-wrap: anywhere; }
.hl-pick:hover { text-decoration: underline; text-decoration-color: var(--hl-straw); }
.hl-pick:focus-visible { outline: 2px solid var(--hl-straw); outline-offset: 2px; }
.hl-path { overflow-wrap: anywhere; }
.hl-badges { display: flex; flex-wrap: wrap; gap: 0.25rem; margin-top: 0.25rem; }
.hl-badge { display: inline-block; font-size: 0.74rem; font-weight: 600; line-height: 1.35;
  border-radius: 1rem; padding: 0.05rem 0.55rem; border: 1px solid var(--hl-line);
  background: var(--hl-soft); color: var(--hl-muted); max-width: 100%; overflow-wrap: anywhere; }
.hl-badge-error { background: var(--hl-rust-soft); color: var(--hl-rust);
  border-color: color-mix(in srgb, var(--hl-rust) 40%, transparent); }
.hl-badge-warn { background: var(--hl-straw-soft); color: var(--hl-straw);
  border-color: color-mix(in srgb, var(--hl-straw) 40%, transparent); }
.hl-badge-ok { background: var(--hl-green-soft); color: var(--hl-green);
  border-color: color-mix(in srgb, var(--hl-green) 40%, transparent); }
.hl-badge-tag { background: transparent; }
.hl-files { list-style: none !important; margin: 0.3rem 0 0 !important; padding: 0 !important;
  font-size: 0.88rem; }
.hl-files li { margin: 0.2rem 0 !important; padding: 0 !important; overflow-wrap: anywhere; }
.hl-flags { margin: 0.1rem 0 0.5rem; padding-left: 1.1rem; font-size: 0.88rem;
  overflow-wrap: anywhere; }
.hl-strip { display: flex; align-items: flex-end; gap: 1px; height: 3rem; overflow: hidden;
  border-bottom: 1px solid var(--hl-line); margin-top: 0.4rem; }
.hl-yield { flex: 1 1 0; min-width: 1px; max-width: 1.2rem; background: var(--hl-straw);
  opacity: 0.75; }
.hl-yield-ocr { background: light-dark(#5f86a8, #7fa7c9); }
.hl-yield-none, .hl-yield-little { background: var(--hl-rust); opacity: 1; }
dl.hl-facts.hl-wide {
  display: grid; margin-top: 0.7rem !important;
  grid-template-columns: max-content 1fr; gap: 0.2rem 1rem;
}
.hl-facts.hl-wide dt { font-size: 0.82rem; padding-top: 0 !important; }
.hl-facts.hl-wide dd + dt { padding-top: 0 !important; }
.hl-facts.hl-wide dd { font-variant-numeric: tabular-nums; }
.hl-need { min-width: 22rem; }
.hl-need td, .hl-need th { text-align: right; white-space: nowrap; }
.hl-docs.hl-need td:first-child, .hl-docs.hl-need th:first-child { text-align: left;
  width: auto; min-width: 0; }
.hl-fit-gpu { color: var(--hl-green); font-weight: 650; }
.hl-fit-no { color: var(--hl-muted); text-decoration: line-through; }
.hl-fit-split, .hl-fit-ram { color: var(--hl-straw); }
/* Begun with a button far down the page, and seen from there. */
[data-testid=stLayoutWrapper]:has(> * > [data-testid=stLayoutWrapper] > .st-key-model-job) {
  position: sticky; top: 3.75rem; z-index: 90; }
.st-key-model-job { background: light-dark(#fdfcf8, #191713);
  box-shadow: 0 0.4rem 0.8rem -0.6rem rgb(0 0 0 / 50%); }
@media (max-width: 640px) {
  .hl-docs thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .hl-docs:not(.hl-need) tr { display: block; padding: 0.5rem 0;
    border-bottom: 1px solid var(--hl-line); }
  .hl-docs:not(.hl-need) td { display: inline-block; border: 0; padding: 0 0.9rem 0 0;
    white-space: normal; min-width: 0; }
  .hl-docs:not(.hl-need) td:first-child { display: block; padding: 0 0 0.15rem; }
  .hl-docs:not(.hl-need) td:last-child { width: auto; }
  .hl-docs:not(.hl-need) td:empty { display: none; }
  .hl-docs:not(.hl-need) td[data-name]::before { content: attr(data-name) " ";
    color: var(--hl-muted); font-size: 0.75rem; }
  .hl-docs.hl-need thead { position: static; width: auto; height: auto; clip-path: none; }
}
</style>
"""


def work_style(*, dark: bool) -> str:
    """The style sheet as HTML, that of the chat page included."""
    return style_sheet(dark=dark) + _STYLE.strip()
