"""Text of either direction in one page: who is right-to-left is told by the text itself."""

from __future__ import annotations

DIRECTION_STYLE = """
.hl-question, .hl-answer, .hl-page, .hl-quoted q, .hl-note, .hl-diff, .hl-flags q, .nd-row dd,
.nd-dl dd { text-align: start; }
.hl-answer :is(p, li, td, th, h4, h5, h6), .hl-question, .hl-page, .hl-quoted q, .hl-flags q,
.nd-row dd, .nd-dl dd { unicode-bidi: plaintext; }
.hl-answer :is(ul, ol) { padding-left: 0; padding-inline-start: 1.5rem; }
.hl-answer blockquote { padding-left: 0; padding-inline-start: 0.9rem; border-left: 0;
  border-inline-start: 3px solid var(--hl-line); }
.hl-answer th { text-align: start; }
.hl-answer pre { direction: ltr; text-align: left; }
.hl-cite, .hl-n, .hl-mark { direction: ltr; unicode-bidi: isolate; white-space: nowrap; }
.hl-bare { unicode-bidi: isolate; display: inline-block; }
[data-testid="stChatInputTextArea"], .stTextArea textarea, .stTextInput input,
.stChatInput textarea { unicode-bidi: plaintext; text-align: start; }
.stButton button p, .stDownloadButton button p, .stPopover button p, [data-testid="stDialog"] h2,
[data-testid="stWidgetLabel"] p { unicode-bidi: plaintext; }
.st-key-page-language { display: none; }
"""
"""Behind the style sheet of the pages; `dir="auto"` stands on the blocks themselves."""
