"""What a run has written is known by digest, and metrics.csv can be gone on with."""

import numpy as np
import pandas
from hypothesis import given
from hypothesis import strategies as st

from ganjax.training.record import MetricsWriter

# metrics.csv


def test_each_row_is_there_as_soon_as_it_is_written(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.csv")
    for step in (1, 2):
        writer.write({"step": step, "loss": step / 3})
        assert pandas.read_csv(tmp_path / "metrics.csv").step.tolist() == list(range(1, step + 1))
    writer.close()
    assert (tmp_path / "metrics.csv").read_bytes() == b"step,loss\n1,0.333333333\n2,0.666666667\n"


@given(st.lists(st.floats(width=32), min_size=1, max_size=9))
def test_every_float32_comes_back_exactly(tmp_path, values):
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path)
    for step, value in enumerate(values):
        writer.write({"step": step, "loss": value})
    writer.close()
    table = pandas.read_csv(path)
    assert table.step.tolist() == list(range(len(values)))
    np.testing.assert_array_equal(table.loss.to_numpy().astype(np.float32), np.float32(values))
