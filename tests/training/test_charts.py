import math

from hypothesis import given
from hypothesis import strategies as st

from darkroom.drawing.chart import Points, figure
from darkroom.training.charts import training_charts
from darkroom.training.curves import Epoch

losses = st.floats(0, 1e6) | st.sampled_from([math.inf, math.nan])


@given(st.lists(st.tuples(losses, losses), min_size=1, max_size=60), st.data())
def test_both_splits_and_the_chosen_epoch_are_drawn(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, len(pairs)))
    pairs[chosen - 1] = (pairs[chosen - 1][0], 0.25)
    epochs = [Epoch(k, train, 0.5, validation, 0.5, 0.1) for k, (train, validation) in enumerate(pairs, start=1)]
    loss, accuracy = training_charts(epochs, epochs[chosen - 1])
    assert loss.note == f"epoch {chosen} chosen, 0.250 on validation"
    assert accuracy.note == f"epoch {chosen} chosen, 50.0% on validation"
    ring = loss.marks[-1]
    assert isinstance(ring, Points) and (ring.x, ring.y) == ([chosen], [0.25])
    finite = sum(math.isfinite(value) for pair in pairs for value in pair)
    text = figure(loss)
    assert text.count("<title>") == finite + 1 and "nan" not in text and "inf" not in text
