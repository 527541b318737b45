"""The keys a suite knows and what each is for: what the loader accepts is what the reference prints."""

from __future__ import annotations

TOP = {
    "suite": "The suite's name; its results go to `results/NAME`. Left out: the name of the file.",
    "title": "What stands above its tables.",
    "extends": "Another suite, by a path relative to this file. What is written here is laid over it, map by map; `null` takes "
    "an entry away, and `grid` and `groups` are replaced whole.",
    "seeds": "The seeds every cell is run with, whole numbers from 0. Left out: `[0]`.",
    "base": "What all variants have in common: the sections below.",
    "support": "Variants that are no rows: they run where another needs them as a teacher (`{name: run, variant: X}`).",
    "ablate": "Named variants, each a diff of `base`: a map of dotted paths (`losses.info.margin: 0.1`; `null` takes away), or "
    "a list of diffs and of names of other variants. A diff that changes nothing is a fault; `{}` is the base itself. Left "
    "out: one variant, `base`.",
    "groups": "Losses by the name of a group, `{NAME: [loss, ...]}`, for `generate`.",
    "generate": "Variants made from `groups`: `leave-one-out`, `add-one-in`, `cumulative`, each by name or as `{name, of: "
    "VARIANT}`.",
    "grid": "Axes, all combinations of them: `PATH: [value, ...]`, or `NAME: {label: diff, ...}`. A variant without an axis's "
    "path is left as it is, and equal cells are one run.",
    "zip": "Axes in lockstep: a list of maps like `grid`, whose lists are equally long.",
    "exclude": "Cells to leave out: a list of maps `{variant, seed, AXIS}`, values as they are or as globs.",
    "smoke": "What `--smoke` lays over the suite, so that it runs in a minute anywhere.",
    "expect": "Published numbers, `{VARIANT: {TASK.METRIC: x100, source: TEXT}}`; tables show them as reported rows.",
}
BASE = {
    "backbone": "The student: a backbone by name, with its options.",
    "streams": "One or two sources of training data, by label. How two share the steps: `train.mix`.",
    "teachers": "Frozen encoders by label. One that no loss names is never loaded.",
    "losses": "The terms of the objective by label: a loss, its options, `weight` and `on`. `null`: an untrained row.",
    "train": "Optimiser, length, schedule, dev check.",
    "evaluate": "A list of evaluators that score the trained student.",
}
