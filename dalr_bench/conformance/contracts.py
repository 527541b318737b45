"""Every promise by its stable name. A name is never given another meaning; what is new gets a new one."""

from __future__ import annotations

from collections.abc import Mapping

CONTRACTS: Mapping[str, str] = {
    # ---- a distribution, before any of its components is built
    "plugin.import": "the module its entry point names can be imported",
    "plugin.idle": "importing it does no work: no torch, thread, process, network or file, and less than a second of CPU",
    "plugin.range": "its distribution says which versions of dalr-bench it works with, and this one is among them",
    "plugin.packages": "its distribution requires every package it imports",
    "plugin.hooks": "it implements hooks that exist, with the arguments they have, and they return without an error",
    "plugin.names": "no component bears a name that another one of its kind has",
    # ---- every component
    "options.closed": "its options are its signature: each named, each with a type a suite's value can be checked by",
    "options.documented": "its docstring says what it is, and names every option",
    "build.works": "it can be built from its options",
    "build.requires": "`requires(options)` lists what it reads from outside, as Requirement objects",
    "rng.untouched": "it leaves the global random states of torch, numpy and random as they are, and seeds none of them",
    "time.bounded": "every call ends, within the time limit",
    # ---- teachers
    "teacher.rows": "one row of numbers a sentence: a floating tensor [N, T], of one width whatever N is",
    "teacher.device": "rows are on the device it was given, or on the CPU",
    "teacher.order": "row i belongs to sentence i, however the sentences are batched or ordered",
    "teacher.repeats": "asked twice, and built twice, it gives the same rows, and the same fingerprint",
    "teacher.frozen": "asking it changes none of its weights and leaves no gradient behind",
    "teacher.finite": "rows are finite for one sentence, equal, empty, very long and non-Latin ones",
    "teacher.images": "one row a picture, in order, finite and the same each time",
    "teacher.states": "one tensor of token states a sentence, [L, T], in order and finite",
    "teacher.combines": "its combination has a row (or a similarity row) a sentence, finite, without gradient",
    # ---- losses
    "loss.scalar": "its loss is one float32 number with a gradient, its terms single detached numbers",
    "loss.needs": "it declares what it looks at: teachers by typed options, token states, pictures, views, spaces",
    "loss.gradient": "a finite gradient reaches the student's rows",
    "loss.teachers": "no gradient reaches a teacher's rows, and no input is changed in place",
    "loss.device": "everything it makes is on the device of its inputs",
    "loss.questions": "it asks the device for no number: a step never waits for the device",
    "loss.repeats": "equal inputs and generator give an equal loss: it draws from the step's generator alone",
    "loss.finite": "loss and gradient are finite for one row, equal rows, zero rows and long rows",
    "loss.saved": "its trained parts, saved and loaded into a new one, give the same loss",
    # ---- backbones
    "backbone.tokens": "its tokenizer gives ids below its size for any sentence, and has a fingerprint",
    "backbone.rows": "`encode` gives [N, V, D] rows, token states where asked; `embed` [N, D] of width `dim`",
    "backbone.order": "row i of `embed` belongs to sentence i, whatever stands beside it and however it is padded",
    "backbone.packs": "`embed_packed` gives the rows of `embed`, where it says that it packs",
    "backbone.repeats": "in eval mode `embed` gives the same rows each time and leaves the weights alone",
    "backbone.gradient": "a finite gradient reaches its parameters",
    "backbone.finite": "rows are finite for one sentence, equal, empty, very long and non-Latin ones",
    "backbone.device": "rows are on the device of the tokens",
    "backbone.saved": "weights loaded into a new one give the same rows; `save` writes files, none of them a pickle",
    "backbone.protocol": "`protocol()` is plain JSON",
    # ---- the others
    "source.corpus": "sentences are texts, at least one; pictures, picture numbers and columns fit them",
    "source.repeats": "loaded twice it gives the same sentences, pictures and fingerprint",
    "evaluator.declared": "`sentences()` names every sentence it will encode",
    "evaluator.scores": "scores are finite numbers with a task, a metric, a count and a protocol; predictions fit gold",
    "evaluator.repeats": "scored twice, a subject has the same scores",
    "evaluator.looks": "it changes nothing of what it scores",
    "executor.all": "every task ends once, none before those it needs, and a failed one stops only its dependants",
    "tracker.calls": "it takes every call of a run, in order, also of a failed one, and changes nothing it is given",
    "template.text": "its factory returns a text, a Jinja template that renders a table inside the sandbox",
    "command.click": "its factory returns a click command that shows its help",
}
