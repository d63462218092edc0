"""Trains and evaluates with resilience what `paper.py train` does with PyTorch; one line a seed.

    python benches/peers/ours.py --binary target/release/resilience --data DIR \
        --seeds 0 1 2 3 4 --out ours.jsonl
    python benches/peers/run.py seeds ours.jsonl peers.jsonl
"""

import argparse
import json
import os
import subprocess
import tempfile
import time


def run(arguments, seed, folder):
    weights = os.path.join(folder, "model.pth")
    common = ["--data", arguments.data, "--seed", str(seed)]
    train = [arguments.binary, "train", "--recipe", arguments.recipe, "--out", weights]
    began = time.time()
    subprocess.run([*train, "--epochs", str(arguments.epochs), *common], check=True)
    seconds = time.time() - began
    out = os.path.join(folder, "run")
    manifest = os.path.join(folder, "model.toml")
    command = [arguments.binary, "eval", manifest, "--attack", "fgsm", "--labels", "both"]
    command += ["--eps", "0.1", "--out", out]
    subprocess.run([*command, *common], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        model = json.load(file)["models"][0]
    row = {"recipe": arguments.recipe, "seed": seed, "epochs": arguments.epochs}
    row |= {"seconds": round(seconds, 1), "n": model["clean"]["n"]}
    row["clean"] = model["clean"]["correct"]
    for attack in model["attacks"]:
        row[f"adversarial_{attack['labels']}"] = attack["adversarial"]["correct"]
        row[f"unchanged_{attack['labels']}"] = attack["robustness"]["unchanged"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipe", default="fgsm-joint")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            line = json.dumps(run(arguments, seed, folder))
        print(line, flush=True)
        with open(arguments.out, "a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
