"""The layers of an encoder as an ONNX graph, in float32 or with weights of eight bits.

Made from the model in memory, in a tenth of a second for the bundled one, so no
exported file has to be kept, looked after or mended. One text is one run: without
padding there is no mask, and a text's vector never depends on its neighbours.
Words, positions and types are looked up outside, in the model's own tables: of a
multilingual model they are the larger part, and are not held twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1
"""Raise it when the same model would give other vectors or another speed."""

STATES, POOLED = "states", "pooled"
"""The graph's input, shape (1, tokens, width), and its output, shape (1, width)."""

_FAMILIES = {"BertModel": False, "RobertaModel": True, "XLMRobertaModel": True}
"""Encoders known here; True where positions are counted behind the padding's."""

_MOST_PARAMETERS = 200_000_000
"""In the layers. A larger model wants a graphics card; copying it would want its memory twice."""

_LARGEST = 63
"""Weights from -63 to 63: two products then fit into the 16 bits that processors without
VNNI add them up in. Rounded to 8 bits, vectors were further off on such a processor (mean cosine
.9902 to float32) than with these 7 (.9927)."""

_MICROSOFT = "com.microsoft"
_OPSET = 17
_IR = 9
"""Old enough for every ONNX Runtime of the last three years."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What the graph is made from, and what feeds it."""

    layers: tuple[Any, ...]
    norm: Any
    """The embeddings' layer normalization."""
    heads: int
    width: int
    epsilon: float
    pooling: str
    """`mean` or `cls`."""
    words: NDArray[np.float32]
    """Shape (vocabulary, width); shared with the model, as are the next two."""
    positions: NDArray[np.float32]
    type: NDArray[np.float32]
    """Shape (width,)."""
    padding: int | None
    """The padding's id where positions are counted behind it."""

    def states(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """What the layers read of a text: shape (1, tokens, width)."""
        import numpy as np

        if self.padding is None:
            places = np.arange(len(ids))
        else:
            said = ids != self.padding
            places = np.cumsum(said) * said + self.padding
        summed: NDArray[np.float32] = self.words[ids] + self.positions[places] + self.type
        return summed[None]


class NotSupported(Exception):
    """The model is of a kind that no graph is made for; the message says which."""


def encoder_of(model: Any) -> Encoder:
    """The parts of a sentence-transformers model.

    Raises NotSupported for what is no plain encoder of the BERT or RoBERTa
    family in float32 on a CPU, pooled by mean or first token.
    """
    kinds = [type(module).__name__ for module in model]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise NotSupported(f"it is made of {', '.join(kinds)}")
    transformer, pooling = model[0], model[1]
    encoder = transformer.auto_model
    family = type(encoder).__name__
    config = encoder.config
    if family not in _FAMILIES:
        raise NotSupported(f"its encoder is a {family}")
    if config.hidden_act != "gelu" or config.is_decoder or config.add_cross_attention:
        raise NotSupported(f"its {family} is not built as usual")
    if getattr(config, "position_embedding_type", "absolute") not in ("absolute", None):
        raise NotSupported("its positions are relative")
    if pooling.pooling_mode not in ("mean", "cls") or not pooling.include_prompt:
        raise NotSupported(f"its tokens are pooled otherwise ({pooling.pooling_mode})")
    if any(str(p.dtype) != "torch.float32" or p.device.type != "cpu" for p in model.parameters()):
        raise NotSupported("its numbers are not float32 in the CPU's memory")
    size = sum(p.numel() for p in encoder.encoder.parameters())
    if size > _MOST_PARAMETERS:
        raise NotSupported(f"its layers have {size / 1e6:,.0f} million parameters")
    tables = encoder.embeddings
    return Encoder(
        layers=tuple(encoder.encoder.layer),
        norm=tables.LayerNorm,
        heads=config.num_attention_heads,
        width=config.hidden_size,
        epsilon=config.layer_norm_eps,
        pooling=pooling.pooling_mode,
        words=_numbers(tables.word_embeddings.weight),
        positions=_numbers(tables.position_embeddings.weight),
        type=_numbers(tables.token_type_embeddings.weight)[0],
        padding=config.pad_token_id if _FAMILIES[family] else None,
    )


def graph_of(encoder: Encoder, *, eight_bit: bool) -> bytes:
    """The layers and the pooling as a serialised ONNX model.

    With `eight_bit` the weights of the matrix products are whole numbers, and
    what they are multiplied with is rounded text by text. The second product of
    the feed-forward part stays in float32 in the first third of the layers, where
    few large values would leave little of the rest: 9% slower, and the mean
    cosine to float32 rises from .9927 to .9947 (bundled model, 24 passages).
    """
    drawing = _Drawing(encoder, eight_bit)
    state = drawing.normalized(STATES, encoder.norm)
    for number, layer in enumerate(encoder.layers):
        state = drawing.layer(state, layer, careful=3 * number < len(encoder.layers))
    return drawing.finished(state)


class _Drawing:
    """Nodes and weights, added in the order of the computation."""

    def __init__(self, encoder: Encoder, eight_bit: bool) -> None:
        self._encoder = encoder
        self._eight_bit = eight_bit
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._named = 0

    def layer(self, state: str, layer: Any, *, careful: bool) -> str:
        attention, output = layer.attention.output, layer.output
        context = self._attention(state, layer.attention.self)
        context = self._product(context, attention.dense.weight)
        state = self._added(context, state, attention.dense.bias, attention.LayerNorm)
        inner = self._product(state, layer.intermediate.dense.weight)
        bias = self._weight(_numbers(layer.intermediate.dense.bias))
        inner = self._node("BiasGelu", [inner, bias], _MICROSOFT)
        inner = self._product(inner, output.dense.weight, rounded=not careful)
        return self._added(inner, state, output.dense.bias, output.LayerNorm)

    def normalized(self, state: str, norm: Any) -> str:
        scale, shift = self._weight(_numbers(norm.weight)), self._weight(_numbers(norm.bias))
        epsilon = self._encoder.epsilon
        return self._node("LayerNormalization", [state, scale, shift], axis=-1, epsilon=epsilon)

    def finished(self, state: str) -> bytes:
        from onnx import TensorProto, helper

        if self._encoder.pooling == "mean":
            self._node("ReduceMean", [state], to=POOLED, axes=[1], keepdims=0)
        else:
            import numpy as np

            first = self._weight(np.array(0, dtype=np.int64))
            self._node("Gather", [state, first], to=POOLED, axis=1)
        width = self._encoder.width
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(STATES, TensorProto.FLOAT, [1, "tokens", width])],
            [helper.make_tensor_value_info(POOLED, TensorProto.FLOAT, [1, width])],
            self._weights,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
        return bytes(model.SerializeToString())

    def _attention(self, state: str, parts: Any) -> str:
        import numpy as np

        three = (parts.query, parts.key, parts.value)
        weight = np.concatenate([_numbers(part.weight).T for part in three], axis=1)
        bias = self._weight(np.concatenate([_numbers(part.bias) for part in three]))
        heads = self._encoder.heads
        if not self._eight_bit:
            inputs = [state, self._weight(weight), bias]
            return self._node("Attention", inputs, _MICROSOFT, num_heads=heads)
        rounded, scales = _rounded(weight)
        states = [self._name(), self._name(), self._name()]
        self._node("DynamicQuantizeLinear", [state], to=states)
        whole, scale, zero = states
        inputs = [whole, self._weight(rounded), bias, scale, self._weight(scales), "", zero]
        return self._node("QAttention", inputs, _MICROSOFT, num_heads=heads)

    def _product(self, state: str, weight: Any, *, rounded: bool = True) -> str:
        factor = _numbers(weight).T
        if not (self._eight_bit and rounded):
            return self._node("MatMul", [state, self._weight(factor)])
        whole, scales = _rounded(factor)
        inputs = [state, self._weight(whole), self._weight(scales)]
        return self._node("DynamicQuantizeMatMul", inputs, _MICROSOFT)

    def _added(self, one: str, other: str, bias: Any, norm: Any) -> str:
        one = self._node("Add", [one, self._weight(_numbers(bias))])
        return self.normalized(self._node("Add", [one, other]), norm)

    def _weight(self, numbers: NDArray[Any]) -> str:
        import numpy as np
        from onnx import numpy_helper

        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(numbers), name))
        return name

    def _name(self) -> str:
        self._named += 1
        return f"s{self._named}"

    def _node(
        self,
        kind: str,
        inputs: list[str],
        domain: str = "",
        *,
        to: str | list[str] = "",
        **attributes: Any,
    ) -> str:
        from onnx import helper

        outputs = to if isinstance(to, list) else [to or self._name()]
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]


def _rounded(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers, and for each column what they are multiplied with."""
    import numpy as np

    scales = np.abs(weight).max(axis=0) / _LARGEST
    scales = np.where(scales > 0.0, scales, 1.0).astype(np.float32)
    return np.rint(weight / scales).astype(np.int8), scales


def _numbers(parameter: Any) -> NDArray[np.float32]:
    """A parameter's numbers, where they lie."""
    numbers: NDArray[np.float32] = parameter.detach().numpy()
    return numbers
