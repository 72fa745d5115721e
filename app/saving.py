"""From an answer in a conversation to a saved one, and from there to the same question again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.conversations import DONE as ANSWERED
from app.conversations import INTERRUPTED, STOPPED, StoredTurn
from app.expiry import check
from app.rests import UNKNOWN, Rest, rests_of
from app.saved_answers import DONE, STREAMING, Again, Kept, SavedAnswer, SavedAnswers, sources_of
from storage.errors import UsageError
from storage.page_digests import page_digests, standing

if TYPE_CHECKING:
    from app.answers import Answer, SourcesFound
    from storage.catalog import Catalog


def can_be_saved(turn: StoredTurn) -> bool:
    """Whether an answer is complete, and made from something that can change."""
    return turn.state == ANSWERED and bool(turn.hits or turn.ledger) and bool(turn.text)


def save(
    catalog: Catalog, saved: SavedAnswers, owner: str, turn: StoredTurn, *, room: str = ""
) -> int:
    """Keep an answer with what it rests on; `room` is that of its conversation.

    Raises UsageError for one that is not complete.
    """
    if not can_be_saved(turn):
        raise UsageError("Only a complete answer that rests on documents can be saved.")
    kept = _kept(catalog, turn, asked_at=turn.asked_at, made_at=turn.asked_at, room=room)
    return saved.save(
        owner,
        question=turn.question,
        # A follow-up is asked again as it was searched for: alone it would mean something else.
        asked=turn.searched or turn.question,
        scope=turn.scope,
        kept=kept,
        conversation_id=turn.conversation_id,
        turn_id=turn.turn_id,
    )


def rests_now(catalog: Catalog, saved: SavedAnswer) -> tuple[Rest, ...]:
    """What a saved answer rests on, as it is now; what is gone is left out.

    Documents that came into the scope of an answer for which everything was read are taken in.
    """
    rests = saved.kept.rests
    names = [rest.document for rest in rests]
    if saved.kept.whole:
        changes = check(catalog, [saved.stand])[0].changes
        names += [change.document for change in changes if change.reason == "new"]
    with catalog.database.snapshot() as connection:
        found = standing(
            connection,
            document_ids=(rest.document_id for rest in rests),
            documents=names,
            contents=(rest.content for rest in rests),
            rooms=(rest.room for rest in rests),
        )
        digests = page_digests(connection, (one.version_id for one in found))
    by_id = {(one.room, one.document_id): one for one in found}
    by_path = {(one.room, one.document): one for one in reversed(found)}
    by_content = {(one.room, one.content): one for one in reversed(found)}
    same = saved.kept.library == catalog.library_id()
    taken: list[Rest] = []
    for rest in rests:
        room = rest.room
        now = (by_id.get((room, rest.document_id)) if same else None) or by_path.get(
            (room, rest.document)
        )
        now = now or by_content.get((room, rest.content))
        if now is None:
            continue
        here = digests[now.version_id]
        pages = tuple(
            page
            if page.digest != UNKNOWN and page.digest in here.values()
            else replace(page, digest=here[page.number])
            for page in rest.pages
            if page.number in here or page.digest in here.values()
        )
        taken.append(
            replace(
                rest,
                document_id=now.document_id,
                version_id=now.version_id,
                content=now.content,
                pages=pages,
            )
        )
    for one in found:
        if one.document in names[len(rests) :]:
            new = Rest(one.document, one.document_id, one.version_id, one.content, "", (), one.room)
            taken.append(new)
    return tuple(taken)


class Proposals:
    """Answers to questions that are asked again, on their way into the saved ones.

    `app.live_answers` writes into it as it writes turns into a conversation.
    """

    def __init__(
        self,
        saved: SavedAnswers,
        catalog: Callable[[], Catalog],
        room_of: Callable[[str, str], str],
    ) -> None:
        """`room_of` gives the room of somebody's conversation."""
        self._saved = saved
        self._catalog = catalog
        self._room_of = room_of
        self._begun: dict[int, float] = {}

    def begin_turn(
        self, conversation_id: str, question: str, *, instead_of: int | None = None
    ) -> int:
        """Note that the saved answer of this number is asked again."""
        saved_id = int(conversation_id)
        self._begun[saved_id] = self._saved.now()
        self._saved.note_again(saved_id, Again(STREAMING))
        return saved_id

    def begin_prompt(self, turn_id: int, found: SourcesFound) -> None:
        """What is sent is not kept: no conversation goes on from it."""

    def save_partial(self, turn_id: int, *, text: str) -> None:
        """Half an answer is compared with nothing, and not kept."""

    def finish_turn(self, turn_id: int, answer: Answer, found: SourcesFound | None = None) -> None:
        """Keep the new answer beside the old one."""
        if answer.stop_reason == STOPPED:
            self.end_turn(turn_id, STOPPED)
            return
        kept = _kept(
            self._catalog(),
            answer,
            asked_at=self._begun.get(turn_id, 0.0),
            made_at=self._saved.now(),
            room=self._room(turn_id),
        )
        self._saved.note_again(turn_id, Again(DONE, kept=kept))

    def _room(self, saved_id: int) -> str:
        """The room of the conversation that a saved answer is from."""
        saved = next((one for one in self._saved.everybodys() if one.saved_id == saved_id), None)
        return self._room_of(saved.owner, saved.conversation_id) if saved else ""

    def end_turn(self, turn_id: int, state: str, *, error: str = "") -> None:
        """Keep why there is no new answer."""
        self._saved.note_again(turn_id, Again(state, error))


def interrupted(saved: SavedAnswer, *, asking: bool) -> SavedAnswer:
    """The saved answer as it is shown: asked by a process that is gone, it was interrupted."""
    if saved.again is not None and saved.again.state == STREAMING and not asking:
        return replace(saved, again=Again(INTERRUPTED))
    return saved


def _kept(
    catalog: Catalog, told: StoredTurn | Answer, *, asked_at: float, made_at: float, room: str
) -> Kept:
    """What is kept of an answer, with what it rests on."""
    return Kept(
        text=told.text,
        mode=told.mode,
        model=told.model,
        sources=sources_of(told.citations),
        rests=rests_of(
            catalog,
            told.hits,
            told.citations,
            mode=told.mode,
            ledger=told.ledger,
            asked_at=asked_at,
            room=room,
        ),
        library=catalog.library_id(),
        made_at=made_at,
        notice=told.notice,
    )
