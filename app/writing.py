"""One answer in a model's words: sent, streamed, proved, and accounted for in its receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from app.answers import (
    Answer,
    AnswerEvent,
    AnswerReady,
    Citation,
    Receipt,
    Sent,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.chat import ChatModelError, Usage
from app.citations import Sources, cite
from app.followup import FollowUp
from app.model_state import behind
from app.modes import Planner, Situation
from app.ollama_chat import OllamaChat
from app.plans import Mode, Plan
from app.prompt import Prompt
from app.sent_passages import Known
from app.warmth import CONVERSATION, Reuse, loading_s, reuse_of
from app.wording import t, tn
from storage.records import Hit


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be written, with all that is known before."""

    asked: FollowUp
    now: Situation
    built: Prompt
    mode: Mode
    plan: Plan
    started: float
    """`time.perf_counter()` when it was asked."""
    found_s: float


Prove = Callable[[Citation, Hit], Citation]
PageText = Callable[[Hit], str]


def write(task: Task, planner: Planner, page_text: PageText, prove: Prove) -> Iterator[AnswerEvent]:
    """The model's own words: sources first, the whole answer with its receipt last.

    Raises a ChatModelError, also after part of the text.
    """
    now, built, model = task.now, task.built, task.now.model
    name = f"{model.provider} {model.name}"
    option = task.plan.option(task.mode)
    sent = Sent(built.sent, built.given, built.front, built.begins, built.sent_tokens)
    beside = _beside(task)
    yield SourcesFound(
        built.hits,
        task.mode,
        name,
        built.numbers,
        sent,
        task.plan,
        beside=tuple(beside.values()),
        beside_numbers=tuple(beside),
        behind=behind(model, now.speeds, now.before.loaded),
        prove=_prover(task, beside, page_text),
    )
    planner.last.keep(now.budget.model, built.messages, built.tokens.tokens, CONVERSATION)
    pieces: list[str] = []
    usage = Usage()
    begun = time.perf_counter()
    first: float | None = None
    with closing(model.stream(built.messages, reserve=now.budget.reserve)) as stream:  # type: ignore[type-var]
        for item in stream:
            if isinstance(item, Usage):
                usage = item
                continue
            if first is None:
                first = time.perf_counter()
            pieces.append(item)
            yield TextDelta(item)
    text = "".join(pieces)
    ended = time.perf_counter()
    usage = _with_own_clock(usage, begun, first, ended)
    timings = {"find": task.found_s, "total": ended - task.started}
    if first is not None:
        timings["first_token"] = first - task.started
    told = {"load": usage.load_s, "prompt": usage.prompt_s, "answer": usage.answer_s}
    timings |= {key: seconds for key, seconds in told.items() if seconds is not None}
    reuse = _reuse(task, usage)
    planner.speeds.add(
        now.budget.model,
        now.budget.window,
        computed_tokens=None if reuse.derived else reuse.computed,
        prompt_s=usage.prompt_s,
        answer_tokens=usage.answer_tokens,
        answer_s=usage.answer_s,
        load_s=loading_s(usage, now.before),
    )
    hits, numbers, citations = _cited(task, text, page_text)
    yield AnswerReady(
        Answer(
            question=task.asked.question,
            searched=task.asked.searched,
            text=text,
            mode=task.mode,
            model=name,
            citations=tuple(
                prove(citation, hits[numbers.index(citation.n)]) for citation in citations
            ),
            receipt=_receipt(task, usage, reuse, option.seconds if option else None),
            timings=timings,
            hits=hits,
            stop_reason=usage.stop_reason,
            notice=_notice(usage, built.left_out),
            numbers=numbers,
            plan=task.plan,
        )
    )


def _with_own_clock(usage: Usage, begun: float, first: float | None, ended: float) -> Usage:
    """The usage with durations taken here where the server tells none."""
    if first is None or usage.prompt_s is not None:
        return usage
    return replace(usage, prompt_s=first - begun, answer_s=ended - first)


def _reuse(task: Task, usage: Usage) -> Reuse:
    now, built = task.now, task.built
    continued = built.prefix_tokens if any(not turn.dropped for turn in now.history) else 0
    changed = ""
    if built.front is not None and any(not turn.question for turn in now.history):
        changed = "the documents before the conversation have changed"
    elif built.dropped:
        changed = f"{_questions(built.dropped)} no longer fitted and left the prompt"
    return reuse_of(
        usage,
        usage.prompt_tokens or built.tokens.tokens,
        continued=continued,
        found=now.before,
        messages=built.messages,
        window=now.budget.window,
        speeds=now.speeds,
        changed=changed,
        counted=0 if built.tokens.exact else built.tokens.tokens,
    )


def _receipt(task: Task, usage: Usage, reuse: Reuse, predicted_s: float | None) -> Receipt:
    now, built = task.now, task.built
    reason = now.budget.reason if now.budget.trusted < now.budget.window else ""
    return Receipt(
        window=now.budget.window,
        trusted_window=now.budget.trusted,
        prompt_tokens=built.tokens.tokens,
        parts={**built.parts, "reserve": now.budget.reserve},
        server_prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        exact=built.tokens.exact,
        reused_tokens=reuse.reused,
        computed_tokens=reuse.computed,
        derived=reuse.derived,
        state=reuse.state,
        broke=reuse.broke,
        trusted_reason=reason,
        predicted_s=predicted_s,
        note=" ".join(_notes(task)),
        placement=built.placement.order,
        answer_tokens=usage.answer_tokens,
    )


def _notes(task: Task) -> list[str]:
    built, notes = task.built, []
    if built.dropped:
        notes.append(
            f"To make room, {_questions(built.dropped)} left the prompt; the model no longer "
            "knows of them."
        )
    if built.anew:
        pages = "1 passage" if built.anew == 1 else f"{built.anew:,} passages"
        notes.append(
            f"The documents of {pages} have changed since: what they say now was sent under new "
            "numbers, behind what stood there before."
        )
    if built.placement.reason:
        notes.append(built.placement.reason)
    if served := _served_less(task):
        notes.append(served)
    return notes


def _served_less(task: Task) -> str:
    """That Ollama serves less than it was asked for; empty where it does not."""
    model = task.now.model
    if not isinstance(model, OllamaChat):
        return ""  # others say what they serve before they are asked
    try:
        asked, served = model.num_ctx(), model.window()
    except ChatModelError:
        return ""
    if served >= asked:
        return ""
    told = f"The server runs the model with a window of {served:,} only; {asked:,} were asked for"
    if served == task.now.budget.window:
        return f"{told}."
    return f"{told}, and prompts are made for that from the next question on."


def _cited(
    task: Task, text: str, page_text: PageText
) -> tuple[tuple[Hit, ...], tuple[int, ...], tuple[Citation, ...]]:
    """The answer's passages, those of earlier turns that it cites included, and its citations."""
    built = task.built
    here = dict(zip(built.numbers, built.hits, strict=True))
    known: Mapping[int, Hit] = {**Known(_turns(task)).all(), **here}
    numbers, passages = tuple(known), tuple(known.values())
    citations = cite(text, passages, page_text, numbers)
    earlier = [n for n in dict.fromkeys(c.n for c in citations) if n not in here]
    hits = (*built.hits, *(known[n] for n in earlier))
    return hits, (*built.numbers, *earlier), citations


def _turns(task: Task) -> list[Turn]:
    """The turns that the prompt goes on from, what now stands at its front included."""
    front = [task.built.front] if task.built.front is not None else []
    return [*task.now.history, *front]


def _beside(task: Task) -> dict[int, Hit]:
    """What the prompt holds beside the passages of this turn, by its number."""
    built = task.built
    # The oldest turns may have left the prompt just now: turns that are stored have a number.
    kept = [
        turn
        for turn in _turns(task)
        if not turn.dropped
        and (built.begins is None or not turn.question or 0 < built.begins <= turn.turn_id)
        and (built.front is None or turn.question or turn is built.front)
    ]
    here = set(built.numbers)
    return {n: hit for n, hit in Known(kept).all().items() if n not in here}


def _prover(
    task: Task, beside: Mapping[int, Hit], page_text: PageText
) -> Callable[[str], tuple[Citation, ...]]:
    """Proves a piece of the answer; pages are read and folded once for all pieces."""
    known = {**beside, **dict(zip(task.built.numbers, task.built.hits, strict=True))}
    hits, numbers, sources = tuple(known.values()), tuple(known), Sources()

    def prove(text: str) -> tuple[Citation, ...]:
        return cite(text, hits, page_text, numbers, sources)

    return prove


def _notice(usage: Usage, left_out: int) -> str:
    if usage.stop_reason == "length":
        return t("The answer was cut at its reserve. Raise HAYLOFT_RESERVE for longer answers.")
    if left_out:
        return tn(
            left_out,
            "{n} more passage was found and did not fit the window.",
            "{n} more passages were found and did not fit the window.",
        )
    return ""


def _questions(number: int) -> str:
    return "1 earlier question" if number == 1 else f"{number:,} earlier questions"
