"""The prompt of a trial: rules, the text, the question last.

What comes first is the same for every trial of a language, so that a server's
prefix cache is of use. The text stands between two lines of its own; each
part begins and ends where a token cannot reach over (see `lengths`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.chat import Message
from evaluation.niah.records import row_key


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the text, in one language."""

    rules: str
    closed_rules: str
    """Where there is no text to read."""
    before: str
    """Ends with an empty line."""
    after: str
    """With `{question}`; begins with a sign that is no white space."""
    abstention: str
    """What the rules ask for where the text does not hold the answer."""

    @property
    def fingerprint(self) -> str:
        """Changes with every word of the frame."""
        return row_key({name: getattr(self, name) for name in self.__slots__})

    def closing(self, question: str) -> str:
        """What follows the text."""
        return self.after.format(question=question)

    def messages(self, content: str) -> list[Message]:
        """The messages around what the user says."""
        return [Message("system", self.rules), Message("user", content)]

    def opening(self) -> list[Message]:
        """The messages as far as every prompt shares them."""
        return self.messages(self.before)

    def closed(self, question: str) -> list[Message]:
        """The question alone."""
        return [Message("system", self.closed_rules), Message("user", question)]


FRAMES: Mapping[str, Frame] = {
    "en": Frame(
        rules=(
            "You answer a question about a text. What is asked for stands in the text, or it does "
            "not. Reply with what is asked for and nothing else, exactly as the text writes it; "
            "where several things are asked for, give all of them, one a line. If the text does "
            "not hold it, reply: The text does not say."
        ),
        closed_rules=(
            "You answer a question from what you know. Reply with what is asked for and nothing "
            "else. If you do not know it, reply: I do not know."
        ),
        before="The text:\n\n",
        after="(End of the text.)\n\nQuestion: {question}",
        abstention="The text does not say.",
    ),
    "zh": Frame(
        rules=(
            "你根据一篇文章回答问题。所问的内容或者写在文章里，或者没有写。"
            "只回答所问的内容，不要写别的话，文字与文章里的写法完全一致；"
            "如果问到多项，请全部给出，每行一项。如果文章里没有，请回答：文中没有说明。"
        ),
        closed_rules=(
            "你凭自己的知识回答问题。只回答所问的内容，不要写别的话。如果不知道，请回答：我不知道。"
        ),
        before="文章：\n\n",
        after="（文章到此结束。）\n\n问题：{question}",
        abstention="文中没有说明。",
    ),
    "es": Frame(
        rules=(
            "Respondes a una pregunta sobre un texto. Lo que se pregunta está en el texto, o no "
            "está. Responde solo con lo que se pregunta, sin añadir nada, tal como lo escribe el "
            "texto; si se piden varias cosas, dalas todas, una por línea. Si el texto no lo "
            "contiene, responde: El texto no lo dice."
        ),
        closed_rules=(
            "Respondes a una pregunta con lo que sabes. Responde solo con lo que se pregunta, sin "
            "añadir nada. Si no lo sabes, responde: No lo sé."
        ),
        before="El texto:\n\n",
        after="(Fin del texto.)\n\nPregunta: {question}",
        abstention="El texto no lo dice.",
    ),
}
