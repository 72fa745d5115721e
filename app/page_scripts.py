"""The few lines of JavaScript of the chat page: what Streamlit has no widget for.

Streamlit calls such a function again when its data changes, and the cleanup that it returns only
when the component goes: so what listens is taken away first.
"""

from __future__ import annotations

ACTS = """
export default function (component) {
  const { setTriggerValue } = component;
  // What a button says then stands in it, in the reader's language.
  const copied = (button, done) => {
    const name = button.dataset.name || (button.dataset.name = button.textContent);
    button.textContent = done ? button.dataset.copied : button.dataset.refused;
    setTimeout(() => { button.textContent = name; }, 1500);
  };
  const copy = (button) => {
    const text = button.getAttribute("data-copy");
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(() => copied(button, true),
        () => copied(button, false));
      return;
    }
    // Without a safe connection there is only the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.appendChild(area);
    area.select();
    copied(button, document.execCommand("copy"));
    area.remove();
    button.focus();
  };
  const onClick = (event) => {
    const button = event.target.closest
      && event.target.closest("button[data-act], button[data-copy]");
    if (!button) return;
    if (button.hasAttribute("data-copy")) copy(button);
    else setTriggerValue("acted", button.getAttribute("data-act"));
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
"""
"""Tells the page which button of our own HTML was clicked, and copies."""

CITES = """
export default function (component) {
  const { setTriggerValue } = component;
  const cite = (element) => element && element.closest && element.closest("button[data-cite]");
  const open = (button) => {
    for (const other of document.querySelectorAll("[data-cite][data-open]"))
      other.removeAttribute("data-open");
    button.setAttribute("data-open", "");
    setTriggerValue("opened", button.getAttribute("data-cite"));
  };
  let pressed = null;
  const onClick = (event) => {
    const button = cite(event.target);
    if (button) open(button);
  };
  const onDown = (event) => { pressed = event.isPrimary ? cite(event.target) : null; };
  // A growing answer is drawn anew under the finger: the browser then makes no click of it.
  const onUp = (event) => {
    const was = pressed;
    pressed = null;
    if (!was || was.isConnected) return;
    const now = cite(document.elementFromPoint(event.clientX, event.clientY));
    const named = was.getAttribute("data-cite");
    if (now && now.getAttribute("data-cite") === named) open(now);
  };
  const heard = { click: onClick, pointerdown: onDown, pointerup: onUp };
  for (const [name, hear] of Object.entries(heard)) document.addEventListener(name, hear);
  return () => {
    for (const [name, hear] of Object.entries(heard)) document.removeEventListener(name, hear);
  };
}
"""
"""Tells the reader which citation was clicked, also while its answer grows."""

READER = """
export default function (component) {
  const host = component.parentElement;
  const told = component.data;
  if (host.hlUndo) host.hlUndo();
  const panel = () => document.querySelector(".st-key-hl-reader");
  const press = (key) => {
    const button = document.querySelector(`.st-key-${key} button:not(:disabled)`);
    if (button) button.click();
    return Boolean(button);
  };
  const opener = () => document.querySelector("[data-cite][data-open]")
    || document.querySelector(`.hl-cite[data-cite="${told.cite}"]`)
    || document.querySelector(`[data-cite="${told.cite}"]`);
  const marksOf = (page) => {
    const marks = page.querySelectorAll(".hl-quote, .hl-nearby, .hl-box-quote, .hl-box-nearby");
    return marks.length ? [...marks] : [...page.querySelectorAll(".hl-passage, .hl-box-passage")];
  };
  const toMarks = (page) => {
    const within = page.getBoundingClientRect();
    // On a picture the first mark of a passage need not be the topmost.
    const first = (side) => Math.min(...marksOf(page).map((m) => m.getBoundingClientRect()[side]));
    const any = marksOf(page).length;
    const top = any ? first("top") - within.top + page.scrollTop : 0;
    const left = any ? first("left") - within.left + page.scrollLeft : 0;
    page.scrollTop = Math.max(0, top - page.clientHeight / 3);
    page.scrollLeft = Math.max(0, left - page.clientWidth / 4);
  };
  const sees = (page) => {
    const within = page.getBoundingClientRect();
    return marksOf(page).some((mark) => {
      const box = mark.getBoundingClientRect();
      return box.bottom > within.top && box.top < within.bottom
        && box.right > within.left && box.left < within.right;
    });
  };
  // How large the pictures of pages are shown stays for those that are opened next.
  const root = document.documentElement;
  const zooms = [1, 1.5, 2, 3];
  const zoomed = () => Number(root.style.getPropertyValue("--hl-zoom")) || 1;
  const steps = (page) => [...page.querySelectorAll("button[data-zoom]")];
  const tellZoom = () => {
    const page = panel() && panel().querySelector(".hl-picture");
    if (page) for (const step of steps(page)) {
      const end = step.dataset.zoom === "in" ? zooms[zooms.length - 1] : zooms[0];
      step.setAttribute("aria-disabled", String(zoomed() === end));
    }
  };
  const zoom = (by) => {
    const page = panel() && panel().querySelector(".hl-picture");
    if (!page) return false;
    const was = zoomed();
    const to = zooms[Math.min(zooms.length - 1, Math.max(0, zooms.indexOf(was) + by))];
    const middle = (at, size) => (at + size / 2) * (to / was) - size / 2;
    const left = middle(page.scrollLeft, page.clientWidth);
    const top = middle(page.scrollTop, page.clientHeight);
    const marked = sees(page);
    root.style.setProperty("--hl-zoom", to);
    if (marked) toMarks(page);
    else page.scrollTo({ left, top, behavior: "instant" });
    tellZoom();
    return true;
  };
  const onZoom = (event) => {
    const button = event.target.closest && event.target.closest("button[data-zoom]");
    if (button) zoom(button.dataset.zoom === "in" ? 1 : -1);
  };
  const place = () => {
    const box = panel();
    const page = box && box.querySelector(".hl-page");
    if (!page) return;
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-labelledby", "hl-reader-title");
    if (page.getAttribute("data-placed") !== told.place) {
      page.setAttribute("data-placed", told.place);
      toMarks(page);
    }
    tellZoom();
    // What was opened takes the keyboard's focus once; a button that is disabled under the finger
    // at the last page loses it to nobody.
    const lost = document.activeElement === document.body;
    if (box.getAttribute("data-cited") !== told.cite || lost) {
      box.setAttribute("data-cited", told.cite);
      page.focus({ preventScroll: true });
    }
  };
  let ticks = 0;
  const timer = setInterval(() => { place(); if (++ticks > 30) clearInterval(timer); }, 50);
  place();
  const onKey = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !panel()) return;
    if (document.querySelector("[data-testid=stDialog], [data-testid=stPopoverBody]")) return;
    if (event.key === "Escape" && press("reader-close")) event.preventDefault();
    const within = panel().contains(document.activeElement)
      && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (within && event.key === "ArrowLeft" && press("reader-before")) event.preventDefault();
    if (within && event.key === "ArrowRight" && press("reader-after")) event.preventDefault();
    if (within && /^[+=]$/.test(event.key) && zoom(1)) event.preventDefault();
    if (within && /^[-_]$/.test(event.key) && zoom(-1)) event.preventDefault();
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onZoom);
  host.hlUndo = () => {
    clearInterval(timer);
    document.removeEventListener("click", onZoom);
    document.removeEventListener("keydown", onKey);
  };
  return () => {
    host.hlUndo();
    setTimeout(() => {
      if (panel()) return;
      const button = opener();
      if (!button) return;
      button.removeAttribute("data-open");
      if (document.activeElement === document.body) button.focus({ preventScroll: true });
    }, 60);
  };
}
"""
"""Brings the marked words into view; Escape closes, arrows turn, + and - make the page larger and
smaller, the focus goes back."""

FOCUS = """
export default function (component) {
  let ticks = 0;
  const timer = setInterval(() => {
    const field = document.querySelector(
      `[class*="st-key-${component.data}"] :is(textarea, input)`);
    if (field) {
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    }
    if (field || ++ticks > 40) clearInterval(timer);
  }, 50);
  return () => clearInterval(timer);
}
"""
"""Puts the cursor behind the text of the field that somebody asked for."""

SHORTCUTS = """
export default function (component) {
  const { setTriggerValue } = component;
  const host = component.parentElement;
  if (host.hlUndo) host.hlUndo();
  const inText = (element) => element && (element.isContentEditable
    || /^(TEXTAREA|SELECT)$/.test(element.tagName)
    || (element.tagName === "INPUT" && !/^(checkbox|radio|button)$/.test(element.type)));
  const citations = () => [...document.querySelectorAll(".hl-answer [data-cite]")]
    .filter((one) => one.getClientRects().length);
  const step = (by) => {
    const all = citations();
    if (!all.length) return;
    let at = all.indexOf(document.activeElement);
    if (at < 0) at = all.findIndex((one) => one.hasAttribute("data-open"));
    // From nowhere the first step leads into the last answer, where one reads.
    const last = all[all.length - 1].closest(".hl-answer");
    const to = at < 0
      ? (by > 0 ? all.findIndex((one) => last.contains(one)) : all.length - 1)
      : Math.min(all.length - 1, Math.max(0, at + by));
    all[to].focus();
    all[to].scrollIntoView({ block: "nearest" });
    if (document.querySelector(".st-key-hl-reader")) all[to].click();
  };
  const focus = (selector) => {
    const found = document.querySelector(selector);
    if (found) found.focus();
    return Boolean(found);
  };
  const does = {
    "/": () => focus("textarea[data-testid=stChatInputTextArea]"),
    s: () => focus(".st-key-search-conversations input"),
    n: () => setTriggerValue("asked", "new"),
    j: () => step(1),
    k: () => step(-1),
    "?": () => setTriggerValue("asked", "list"),
  };
  const onKey = (event) => {
    if (!component.data.on || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.repeat || event.isComposing || inText(document.activeElement)) return;
    const over = "[data-testid=stDialog], [data-testid=stPopoverBody], [role=menu], [role=listbox]";
    if (document.querySelector(over)) return;
    const act = Object.hasOwn(does, event.key) ? does[event.key] : null;
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", onKey);
  host.hlUndo = () => document.removeEventListener("keydown", onKey);
  return () => host.hlUndo();
}
"""
"""Single keys, never while something is typed or a dialog is open."""
