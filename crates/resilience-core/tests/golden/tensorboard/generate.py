"""Writes events.golden; made with PyTorch 2.11, TensorBoard 2.21 and Python 3.11.

PyTorch's SummaryWriter writes it, with the clock held still. It says what the test in
tests/training_log has our own writer say: two epochs, the second with a zero, a NaN, an infinity
and a number that f32 rounds.
"""

import tempfile
import time
from pathlib import Path

time.time = lambda: 1700000000.25

from torch.utils.tensorboard import SummaryWriter

HERE = Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    with SummaryWriter(folder) as writer:
        writer.add_scalar("loss/total", 2.25, 1, walltime=1700000010.5)
        writer.add_scalar("accuracy/validation_pgd", 0.1, 1, walltime=1700000010.5)
        writer.add_scalar("loss/total", float("nan"), 2, walltime=1700000021.0)
        writer.add_scalar("accuracy/validation_pgd", 0.0, 2, walltime=1700000021.0)
        writer.add_scalar("learning_rate", 1e-3, 2, walltime=1700000021.0)
        writer.add_scalar("images_per_second", float("inf"), 2, walltime=1700000021.0)
    (file,) = Path(folder).iterdir()
    (HERE / "events.golden").write_bytes(file.read_bytes())
