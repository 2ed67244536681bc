import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.runtime.arrays import Float32s
from darkroom.statistics.softmax import softmax


@settings(max_examples=40)
@given(
    hnp.arrays(np.float32, (5, 4), elements=st.floats(-200, 200, width=32)),
    st.floats(0.05, 20),
)
def test_the_softmax_is_a_distribution_and_a_temperature_keeps_its_order(answers: Float32s, temperature: float) -> None:
    found = softmax(answers, temperature)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found, torch.from_numpy(answers).double().div(temperature).softmax(dim=1), atol=1e-7)
    rows = np.arange(len(answers))
    assert (found[rows, answers.argmax(axis=1)] == found.max(axis=1)).all()
