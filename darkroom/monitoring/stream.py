"""What the monitor knows of a stream of answers: a state of bounded size, the same however the stream is cut into
runs."""

from dataclasses import dataclass

import numpy as np

from darkroom.monitoring.bursts import burst_length
from darkroom.monitoring.detector import Detector
from darkroom.runtime.arrays import Bools, Float64s, Int64s, UInt64s

# Images are tested from the time when so many are there, from which the length of bursts is seen; it is looked at again
# every so often.
FIRST, AGAIN = 64, 128
# The last images, whose scores are stored, for bursts and the kind of a shift; whose answers are, for accuracy and mix.
RECENT, ANSWERS = 512, 2048
SESSIONS, HISTORY = 256, 256


@dataclass(frozen=True)
class Alarm:
    """A shift was found.

    Attributes:
        since: number of the image where it began, by the sum that grew most.
        since_time, time: of that image, and of the one at which the level reached the run length; microseconds in UTC.
        image: its number.
    """

    since: int
    since_time: int
    image: int
    time: int


class Stream:
    """Args:
    detector: made of the baseline.
    run_length: images between false alarms, on average, at least.
    """

    def __init__(self, detector: Detector, run_length: float) -> None:
        self.detector, self.run_length = detector, run_length
        self.images, self.tested, self.next_tested, self.burst = 0, 0, 0, 1
        self.scores: Float64s = np.empty((0, len(detector.ranks.counts)))
        self.times: Int64s = np.empty(0, np.int64)
        self.predicted: Int64s = np.empty(0, np.int64)
        self.confidence: Float64s = np.empty(0)
        # Of the first images, until they are tested; then the last ones of which an image was tested.
        self.sessions: UInt64s = np.empty(0, np.uint64)
        # For each piece of the stream the number and time of its last image, and its highest level: float64 [P, 3].
        self.history: Float64s = np.empty((0, 3))
        self.highest = 0.0
        self.alarm: Alarm | None = None

    def add(self, scores: Float64s, predicted: Int64s, confidence: Float64s, times: Int64s, sessions: UInt64s) -> None:
        """Take images in turn.

        Args:
            scores: float64 [N, S].
            predicted: int64 [N].
            confidence: float64 [N].
            times: int64 [N], microseconds in UTC.
            sessions: uint64 [N], a hash of each image's session; 0 for none. One image of a session is tested.
        """
        start = 0
        while start < len(scores):
            # Cut where bursts are looked at, so that the cuts of the runs do not show.
            upto = FIRST if self.images < FIRST else (self.images // AGAIN + 1) * AGAIN
            piece = slice(start, min(len(scores), start + upto - self.images))
            self._remember(scores[piece], predicted[piece], confidence[piece], times[piece])
            if upto == FIRST:
                self.sessions = np.concatenate([self.sessions, sessions[piece]])
            else:
                self._test(sessions[piece])
            if self.images == upto:
                # A shift in the middle would look like one long burst.
                if self.alarm is None:
                    self.burst = burst_length(self.scores, self.predicted[-len(self.scores) :])
                if upto == FIRST:
                    first, self.sessions = self.sessions, np.empty(0, np.uint64)
                    self._test(first)
                self._end_piece()
            start = piece.stop

    def since_alarm(self) -> int:
        """How many of the last images came since the shift; all of them without an alarm."""
        return len(self.scores) if self.alarm is None else min(len(self.scores), self.images - self.alarm.since)

    def _remember(self, scores: Float64s, predicted: Int64s, confidence: Float64s, times: Int64s) -> None:
        self.scores = np.concatenate([self.scores, scores])[-RECENT:]
        self.times = np.concatenate([self.times, times])[-RECENT:]
        self.predicted = np.concatenate([self.predicted, predicted])[-ANSWERS:]
        self.confidence = np.concatenate([self.confidence, confidence])[-ANSWERS:]
        self.images += len(scores)

    def _test(self, sessions: UInt64s) -> None:
        """Test the last images, as many as there are sessions: one of each session and of each burst."""
        count = len(sessions)
        numbers = np.arange(self.images - count, self.images)
        chosen: Bools = np.array([self._takes(*each) for each in zip(numbers.tolist(), sessions.tolist(), strict=True)])
        if not chosen.any():
            return
        numbers = numbers[chosen]
        levels = self.detector.add(self.scores[-count:][chosen], self.predicted[-count:][chosen], numbers)
        self.tested += len(levels)
        self.highest = max(self.highest, float(levels.max()))
        above = np.flatnonzero(levels >= self.run_length)
        if self.alarm is None and len(above):
            image, since = int(numbers[above[0]]), self.detector.since
            self.alarm = Alarm(since, self._time_of(since), image, self._time_of(image))

    def _takes(self, number: int, session: int) -> bool:
        if session:
            if session in self.sessions:
                return False
            self.sessions = np.append(self.sessions, np.uint64(session))[-SESSIONS:]
            return True
        if number < self.next_tested:
            return False
        self.next_tested = number + self.burst
        return True

    def _time_of(self, number: int) -> int:
        """When an image came, as near as the state knows."""
        back = self.images - number
        if back <= len(self.times):
            return int(self.times[-back])
        later = np.flatnonzero(self.history[:, 0] > number)
        return int(self.history[later[0], 1])

    def _end_piece(self) -> None:
        self.history = np.vstack([self.history, (self.images, self.times[-1], self.highest)])
        self.highest = 0.0
        if len(self.history) > HISTORY:
            # Two pieces become one.
            first, second = self.history[:-1:2], self.history[1::2]
            merged = np.column_stack([second[:, :2], np.maximum(first[:, 2], second[:, 2])])
            self.history = np.vstack([merged, self.history[2 * len(second) :]])
