"""The command `d2l-lstm`: train, predict, evaluate, info."""

from __future__ import annotations

import json
import random
import sys
import unicodedata
import warnings
from pathlib import Path
from typing import Annotated

import typer

from .text import DATA, NORMALIZATIONS

PRETRAINED = DATA / "lstm_time_machine.safetensors"
CHECKPOINT = Path("time_machine_lstm.safetensors")
PREFIXES = ("time traveller", "traveller", "the time machine", "you ", "tr")
_CONCISE = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru_reset_after": "GRU"}

CHAPTER_NAME = "The Time Machine, chapter I"

app = typer.Typer(
    help="Train a character language model on The Time Machine or any text, and let it "
    "continue a prefix.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Pretrained = Annotated[
    Path,
    typer.Option(
        "--checkpoint",
        "-c",
        help="A file that `train` has written.",
        show_default="the pretrained model",
    ),
]
Text = Annotated[
    Path | None,
    typer.Option("--text", "-t", help="A UTF-8 text file. (default: The Time Machine)"),
]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same result.")]
Normalize = Annotated[
    str | None,
    typer.Option(
        help="book: letters a to z and spaces; unicode: any script, lower case, single "
        "spaces; none: as it is. (default: book for The Time Machine, else unicode)"
    ),
]


def _corpus(text: Path | None, normalize: str | None, max_tokens: int | None):
    """The corpus to use, its vocabulary, its normalization, and training tokens."""
    from .text import load_corpus, read_raw_time_machine, read_text

    if normalize is not None and normalize not in NORMALIZATIONS:
        raise ValueError(
            f"unknown normalization {normalize!r}; choose {', '.join(NORMALIZATIONS)}."
        )
    raw = read_raw_time_machine() if text is None else read_text(text)
    normalization = normalize or ("book" if text is None else "unicode")
    wanted = -1 if max_tokens is None else max_tokens
    corpus, vocab = load_corpus(raw, wanted, normalization=normalization)
    if text is None and max_tokens is None and normalization == "book":
        corpus, num_train = corpus[:15000], 10000  # the book's, and 5,000 more
    else:
        num_train = len(corpus) * 9 // 10
    return corpus, vocab, normalization, num_train


@app.command()
def train(
    text: Text = None,
    cell: Annotated[
        str, typer.Option(help="rnn, lstm, peephole, cifg, gru, ...")
    ] = "lstm",
    concise: Annotated[
        bool, typer.Option("--concise", help="Paddle's compiled layer: faster.")
    ] = False,
    hidden: Annotated[int, typer.Option(help="Hidden units.")] = 256,
    epochs: Annotated[int, typer.Option(help="Passes over the training text.")] = 500,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 1.0,
    batch_size: Annotated[int, typer.Option(help="Sequences in a minibatch.")] = 32,
    num_steps: Annotated[int, typer.Option(help="Characters of a sequence.")] = 35,
    theta: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = 1.0,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many epochs without a better validation."),
    ] = None,
    normalize: Normalize = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Use only so many characters.")
    ] = None,
    seed: Seed = 0,
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Where to save the model.")
    ] = CHECKPOINT,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the checkpoint.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier checkpoint.")
    ] = False,
):
    """Train a language model. Without options: the book's LSTM, 500 epochs.

    Of The Time Machine it learns the first 10,000 characters and is validated on the
    next 5,000; of any other text the first nine tenths and the rest. Ctrl-C keeps what
    was learnt.
    """
    import paddle
    from paddle import nn

    from .cells import get_cell
    from .models import RNNModel, num_parameters, scratch_model
    from .text import split_corpus
    from .training import train_ch8

    get_cell(cell)
    if checkpoint.exists() and not (resume or overwrite):
        raise ValueError(
            f"{checkpoint} exists; --resume goes on with it, --overwrite replaces it, "
            "-c FILE writes another file."
        )
    if concise and cell not in _CONCISE:
        raise ValueError(
            f"Paddle has no layer for the cell {cell!r}; --concise goes with "
            f"{', '.join(_CONCISE)}."
        )
    corpus, vocab, normalization, num_train = _corpus(text, normalize, max_tokens)
    train_iter, valid_iter = split_corpus(
        corpus, vocab, batch_size, num_steps, num_train, len(corpus) - num_train
    )
    random.seed(seed)
    paddle.seed(seed or 0)
    if concise:
        layer = getattr(nn, _CONCISE[cell])(len(vocab), hidden, time_major=True)
        net = RNNModel(layer, len(vocab))
    else:
        net = scratch_model(cell, len(vocab), hidden)
    typer.echo(
        f"{cell}, {hidden} hidden units, {num_parameters(net):,} parameters; "
        f"{num_train:,} characters to train on, {len(corpus) - num_train:,} to "
        f"validate on, {len(vocab)} in the vocabulary"
    )
    beginnings = [
        "".join(vocab.to_tokens(corpus[i : i + 8].tolist()))
        for i in (0, len(corpus) // 2)
    ]
    prefixes = [p for p in PREFIXES if all(c in vocab for c in p)] or beginnings
    history = train_ch8(
        net,
        train_iter,
        vocab,
        lr,
        epochs,
        valid_iter=valid_iter,
        theta=theta,
        patience=patience,
        checkpoint=checkpoint,
        resume=resume,
        metadata={
            "normalization": normalization,
            "text": text.name if text else CHAPTER_NAME,
            "num_train": num_train,
            "num_valid": len(corpus) - num_train,
            "batch_size": batch_size,
            "num_steps": num_steps,
            "seed": seed,
        },
        prefixes=prefixes,
    )
    typer.echo(
        f"\nSaved in {checkpoint}. Now: d2l-lstm predict -c {checkpoint} -p 'the'"
    )
    if history.stopped == "interrupted":
        typer.echo("To go on: the same command with --resume.")


def _prefixes(prefix: str | None) -> list[str]:
    if prefix is not None:
        return [prefix]
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError(
            "no prefix; give --prefix 'time traveller', or lines of input."
        )
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8")
    lines = [line.rstrip("\r\n") for line in sys.stdin]
    if not any(lines):
        raise ValueError("no prefix: standard input is empty.")
    return [line for line in lines if line]


@app.command()
def predict(
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            "-p",
            help="What to continue. (default: each line of standard input)",
        ),
    ] = None,
    num_preds: Annotated[
        int, typer.Option("--num-preds", "-n", help="Characters to add.")
    ] = 50,
    checkpoint: Pretrained = PRETRAINED,
    temperature: Annotated[
        float, typer.Option(help="0: the most probable character every time.")
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the k most probable only.")
    ] = None,
    seed: Seed = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
):
    """Continue a prefix, with the pretrained model or one of yours."""
    from .checkpoints import load_checkpoint
    from .generation import generate

    prefixes = _prefixes(prefix)
    saved = load_checkpoint(checkpoint)
    as_it_is = saved.metadata.get("normalization", "book") == "none"
    if seed is not None and seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more.")
    for given in prefixes:
        text = generate(
            given if as_it_is else unicodedata.normalize("NFC", given).lower(),
            num_preds,
            saved.net,
            saved.vocab,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
        )
        if as_json:
            facts = {"prefix": given, "text": text, "num_preds": num_preds}
            facts |= {"temperature": temperature, "top_k": top_k, "seed": seed}
            text = json.dumps(facts, ensure_ascii=False)
        typer.echo(text)


@app.command()
def evaluate(
    checkpoint: Pretrained = PRETRAINED,
    text: Text = None,
):
    """Perplexity of a model on its own text, split as in training, or on another."""
    from .checkpoints import load_checkpoint
    from .text import SeqDataLoader, normalize_text, read_raw_time_machine, read_text
    from .training import evaluate_perplexity

    saved = load_checkpoint(checkpoint)
    facts = saved.metadata
    raw = read_raw_time_machine() if text is None else read_text(text)
    normalized = normalize_text(raw, facts.get("normalization", "book"))
    corpus = saved.vocab.encode(normalized)
    n, m = facts.get("num_train", 10000), facts.get("num_valid", 5000)
    own = facts.get("text") == (text.name if text else CHAPTER_NAME)
    parts = {"the whole text": corpus}
    if own and len(corpus) >= n + m:
        parts = {"trained on": corpus[:n], "held out": corpus[n : n + m]}
    for name, part in parts.items():
        loader = SeqDataLoader(
            facts.get("batch_size", 32),
            facts.get("num_steps", 35),
            corpus=part,
            vocab=saved.vocab,
            offset=0,
        )
        perplexity = evaluate_perplexity(saved.net, loader)
        unknown = int((part == 0).sum())
        note = f", {unknown:,} of them unknown to the model" if unknown else ""
        typer.echo(
            f"{name}: perplexity {perplexity:.3f}, {len(part):,} characters{note}"
        )


@app.command()
def info():
    """Versions, device, cores and threads, where the data is: for a bug report."""
    from .devices import environment_report

    for name, value in environment_report().items():
        typer.echo(f"{name:12} {value}")


def main() -> None:
    """Run the command; errors are one sentence on standard error, exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console is not always UTF-8
            stream.reconfigure(encoding="utf-8", errors="replace")
    warnings.showwarning = lambda message, *_, **__: print(
        f"warning: {message}", file=sys.stderr
    )
    try:
        app()  # ends the process itself, with status 2 for wrong usage
    except (ValueError, ArithmeticError, RuntimeError, OSError) as error:
        print(f"d2l-lstm: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
