"""Models made from scratch, with random weights: real folders that real libraries load.

Two layers, 32 dimensions, a vocabulary of letters and a few words. They find
nothing; they are here to be loaded, prompted, truncated, cut short and broken.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = "rent lease bees honey cable pump query passage search the a is of in due month".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tiny_bi_encoder(
    folder: Path,
    *,
    prompts: Mapping[str, str] | None = None,
    default_prompt: str | None = None,
    pooling: str = "mean",
    normalize: bool = True,
    positions: int = 64,
    declared_length: int | None = 64,
    family: str = "bert",
    card: str = "",
    seed: int = 0,
) -> Path:
    """A sentence-transformers folder with a random encoder; gives the folder back.

    `family` is `bert` (positions count from 0) or `roberta` (from 2);
    `declared_length` None leaves the tokenizer without a limit of its own.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    torch.manual_seed(seed)
    base = folder.parent / f"{folder.name}-base"
    _encoder(base, positions, family)
    _tokenizer(declared_length).save_pretrained(base)
    modules: list[Any] = [Transformer(str(base)), Pooling(32, pooling)]
    if normalize:
        modules.append(Normalize())
    model = SentenceTransformer(modules=modules, device="cpu", default_prompt_name=None)
    model.save_pretrained(str(folder), create_model_card=False)
    declared = _read(folder / "config_sentence_transformers.json")
    declared["prompts"] = dict(prompts or {})
    declared["default_prompt_name"] = default_prompt
    write_json(folder / "config_sentence_transformers.json", declared)
    if declared_length is None:
        _forget_length(folder)
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def tiny_static_model(folder: Path) -> Path:
    """A table of word vectors: no layers, no limit, no special tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    table = StaticEmbedding(_tokenizer(64).backend_tokenizer, embedding_dim=16)
    model = SentenceTransformer(modules=[table], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def tiny_cross_encoder(
    folder: Path, *, labels: int = 1, positions: int = 64, seed: int = 0, card: str = ""
) -> Path:
    """A folder with a random scorer of pairs, in the form that CrossEncoder saves."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(**_sizes(positions), num_labels=labels)
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        # Fresh weights say nearly the same of every pair.
        for parameter in model.parameters():
            parameter.mul_(4.0)
    model.save_pretrained(str(folder))
    _tokenizer(positions).save_pretrained(folder)
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def tiny_language_model_reranker(folder: Path) -> Path:
    """A random decoder that is asked with a template; the score is one word against another."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    base = folder.parent / f"{folder.name}-base"
    config = Qwen3Config(**_sizes(256), num_key_value_heads=1, head_dim=16)
    Qwen3ForCausalLM(config).save_pretrained(str(base))
    tokenizer = _tokenizer(256)
    tokenizer.chat_template = (
        "{%- for m in messages %}{%- if m.role == 'query' %}search the {{ m.content }}"
        "{%- elif m.role == 'document' %} passage of {{ m.content }}{%- endif %}"
        "{%- endfor %} is the rent due"
    )
    tokenizer.save_pretrained(base)
    read = {"method": "forward", "method_output_name": "logits"}
    decoder = Transformer(
        str(base),
        transformer_task="text-generation",
        modality_config={"text": read, "message": read | {"format": "flat"}},
        module_output_name="causal_logits",
    )
    model = CrossEncoder(modules=[decoder, LogitScore(5, 6)], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def write_json(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")


def truncate_file(path: Path, share: float = 0.5) -> None:
    """Cut a file short, as an interrupted download leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def _sizes(positions: int) -> dict[str, int]:
    return {
        "vocab_size": len(_vocabulary()),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": positions,
    }


def _encoder(base: Path, positions: int, family: str) -> None:
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    if family == "roberta":
        config = RobertaConfig(**_sizes(positions), pad_token_id=1, type_vocab_size=1)
        RobertaModel(config).save_pretrained(str(base))
    else:
        BertModel(BertConfig(**_sizes(positions))).save_pretrained(str(base))


def _vocabulary(words: Sequence[str] = WORDS) -> list[str]:
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    return [*SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters)]


def _tokenizer(length: int | None) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(_vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    options: dict[str, Any] = {f"{name}_token": token for name, token in names.items()}
    if length is not None:
        options["model_max_length"] = length
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **options)


def _forget_length(folder: Path) -> None:
    """A tokenizer that declares no limit, and a model folder that does not either."""
    for name in ("tokenizer_config.json", "sentence_bert_config.json"):
        path = folder / name
        if path.exists():
            declared = _read(path)
            for key in ("model_max_length", "max_seq_length"):
                declared.pop(key, None)
            write_json(path, declared)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
