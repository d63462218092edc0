"""Writes leaderboard/ anew from a checkout of RobustBench: one file a claim, for a newer version of theirs.

    python3 scripts/leaderboard.py CHECKOUT

takes CHECKOUT/model_info/DATASET/THREAT/ID.json. Files of claims that RobustBench no longer has, and those
from elsewhere, stay as they are: what changed is for `git diff` to show and for a person to judge. Needs
Python 3.8, nothing else.
"""

import json
import pathlib
import re
import sys

BOARD = pathlib.Path(__file__).resolve().parent.parent / "leaderboard"

# Test images behind a figure (leaderboard/README.md says where that is from).
IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "imagenet": 5_000}
THREATS = {"Linf": "linf", "L2": "l2", "corruptions": "corruptions"}
MARKUP = [
    (r"<br>", " "),
    (r'<a href="([^"]*)">([^<]*)</a>', r"\2 (\1)"),
    (r"\\\(\\ell_\{\\infty\} *\\\)", "Linf"),
    (r"\\\(\\ell_2 *\\\)", "L2"),
    (r"\\\(\\varepsilon *= *([^\\]*?) *\\\)", r"eps = \1"),
    (r"\s+", " "),
]


def plain(value):
    """Text without markup; none where there is nothing to say."""
    text = "" if value is None else str(value)
    for pattern, replacement in MARKUP:
        text = re.sub(pattern, replacement, text)
    text = text.strip()
    return text if text not in ("", "None", "N/A", "null") else None


def percent(value):
    """A figure in per cent as it was written, with a decimal point as TOML wants it."""
    text = plain(value)
    return text if text is None or "." in text else f"{text}.0"


def quoted(text):
    return None if text is None else json.dumps(text, ensure_ascii=False)


def claim(dataset, threat, identifier, info):
    """The lines of one file."""
    fields = [
        ("id", quoted(identifier)),
        ("dataset", quoted(dataset)),
        ("threat", quoted(threat)),
    ]
    if threat == "corruptions":
        measured = [("corrupted", percent(info["corruptions_acc"]))]
    else:
        robust, external = percent(info["autoattack_acc"]), percent(info.get("external"))
        lower = external is not None and float(external) < float(robust)
        unreliable = info.get("unreliable")
        measured = [
            ("eps", quoted(plain(info["eps"]))),
            ("suite", quoted("autoattack-standard")),
            ("robust", robust),
            ("best_known", external if lower else None),
            ("unreliable", str(unreliable).lower() if isinstance(unreliable, bool) else None),
        ]
    passes = int(info.get("number_forward_passes") or 1)
    fields += [
        *measured,
        ("clean", percent(info["clean_acc"])),
        ("reported", percent(info.get("reported"))),
        ("n", str(IMAGES[dataset])),
        ("architecture", quoted(plain(info["architecture"]))),
        ("additional_data", str(bool(info["additional_data"])).lower()),
        ("passes", str(passes) if passes != 1 else None),
        ("title", quoted(plain(info["name"]))),
        ("venue", quoted(plain(info.get("venue")))),
        ("link", quoted(plain(info["link"]))),
        ("footnote", quoted(plain(info.get("footnote")))),
        ("source", quoted("RobustBench")),
    ]
    return "".join(f"{name} = {value}\n" for name, value in fields if value is not None)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    written = 0
    for path in sorted(pathlib.Path(sys.argv[1], "model_info").glob("*/*/*.json")):
        dataset, threat = path.parts[-3], THREATS.get(path.parts[-2])
        if threat is None or dataset not in IMAGES:
            print(f"left out: {path}", file=sys.stderr)
            continue
        info = json.loads(path.read_text(encoding="utf-8"))
        if info.get("corruptions_acc" if threat == "corruptions" else "autoattack_acc") is None:
            print(f"no figure: {path}", file=sys.stderr)
            continue
        folder = BOARD / dataset / threat
        folder.mkdir(parents=True, exist_ok=True)
        text = claim(dataset, threat, path.stem, info)
        (folder / f"{path.stem}.toml").write_text(text, encoding="utf-8")
        written += 1
    if written == 0:
        sys.exit(f"no claim in {sys.argv[1]}/model_info; expected a checkout of RobustBench")
    print(f"{written} claims written to {BOARD}")


if __name__ == "__main__":
    main()
