"""Conversations of programs are recognised by their texts, for the one who had them."""

from __future__ import annotations

from app.answers import Answer, Receipt, Sent, SourcesFound, Turn
from app.api_memory import Memory
from app.api_requests import Exchange
from tests.chat_fakes import HITS

RECEIPT = Receipt(0, 0, 0, {}, None, None, True)


def answer(question: str, text: str, mode: str = "passages") -> Answer:
    return Answer(question, text, mode, "fake qwen2", (), RECEIPT, {}, HITS, numbers=(1, 2, 3))


def found(sent: Sent) -> SourcesFound:
    return SourcesFound(HITS, "passages", "fake qwen2", (1, 2, 3), sent)


def remembered(memory: Memory, caller: str = "ci") -> tuple[Turn, ...]:
    sent = Sent("<passage …>\n\nQuestion: Who?", 3, tokens=40)
    memory.remember(caller, [], (), found(sent), answer("Who?", "Ingrid [1]."))
    return memory.history(caller, [Exchange("Who?", "Ingrid [1].")])


def test_a_conversation_that_goes_on_has_what_was_sent() -> None:
    """The passages, their numbers and the very message stand in the history."""
    (turn,) = remembered(Memory())

    assert (turn.question, turn.answer, turn.turn_id) == ("Who?", "Ingrid [1].", 1)
    assert turn.sent == "<passage …>\n\nQuestion: Who?"
    assert (turn.hits, turn.numbers, turn.given, turn.tokens) == (HITS, (1, 2, 3), 3, 40)


def test_clients_may_trim_what_they_show() -> None:
    """Blanks around a text do not make another conversation of it."""
    memory = Memory()
    remembered(memory)

    assert memory.history("ci", [Exchange(" Who?\n", "Ingrid [1].\n")])[0].sent


def test_another_callers_conversation_is_not_recognised() -> None:
    """The same texts from somebody else bring no passages."""
    memory = Memory()
    remembered(memory, "ci")

    assert memory.history("else", [Exchange("Who?", "Ingrid [1].")]) == (
        Turn("Who?", "Ingrid [1].", turn_id=1),
    )


def test_an_edited_answer_is_not_taken_for_ours() -> None:
    """What was changed is answered from its texts; what stands before it is still known."""
    memory = Memory()
    first = remembered(memory)
    sent = Sent("Question: Where?", 0)
    before = [Exchange("Who?", "Ingrid [1].")]
    memory.remember("ci", before, first, found(sent), answer("Where?", "In a tin [2]."))

    known = memory.history("ci", [*before, Exchange("Where?", "In a tin [2].")])
    edited = memory.history("ci", [*before, Exchange("Where?", "In a hat.")])

    assert [turn.sent for turn in known] == [first[0].sent, "Question: Where?"]
    assert [turn.sent for turn in edited] == [first[0].sent, ""]
    assert [turn.turn_id for turn in edited] == [1, 2]


def test_documents_at_the_front_and_dropped_turns_are_kept_as_the_prompt_left_them() -> None:
    """The front stands first without a question; turns before the new beginning are dropped."""
    memory = Memory()
    first = remembered(memory)
    front = Turn("", "", HITS, sent="<passage 1>", given=3)
    sent = Sent("Question: Where?", 0, front=front, begins=0)
    before = [Exchange("Who?", "Ingrid [1].")]
    memory.remember("ci", before, first, found(sent), answer("Where?", "In a tin [2]."))

    history = memory.history("ci", [*before, Exchange("Where?", "In a tin [2].")])

    assert history[0] == front
    assert [(turn.question, turn.dropped) for turn in history[1:]] == [
        ("Who?", True),
        ("Where?", False),
    ]


def test_a_question_that_found_nothing_leaves_no_turn() -> None:
    """As on the page: nothing was answered, so nothing is looked back on."""
    memory = Memory()
    memory.remember("ci", [], (), None, answer("Who?", "Nothing is said.", "none"))

    assert memory.history("ci", [Exchange("Who?", "Nothing is said.")]) == ()


def test_memory_is_bounded_by_number_and_by_size() -> None:
    """The conversation that was used longest ago is forgotten first."""
    few, small = Memory(most_conversations=2), Memory(most_characters=1000)
    for memory in (few, small):
        for number in range(5):
            text = "x" * 300
            memory.remember("ci", [], (), found(Sent(text, 0)), answer(f"Q{number}", f"A{number}"))

    def known(memory: Memory) -> list[int]:
        return [n for n in range(5) if memory.history("ci", [Exchange(f"Q{n}", f"A{n}")])[0].sent]

    assert known(few) == [3, 4]
    assert known(small)[-1] == 4
    assert len(known(small)) < 5
    assert small._characters <= 1000
