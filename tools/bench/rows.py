# SPDX-License-Identifier: GPL-2.0
"""What the runs of a workload come to: one row of the table."""

from dataclasses import dataclass
from statistics import median

COUNTED, THROUGHPUT, LATENCY, MEMORY, SIZE = "instructions", "throughput", "latency", "memory", "size"
# Interrupts and notifications: few, and as many as the timing makes of them.
EVENTS = "events"
# Less than this of them is the work of other devices, or none.
LEAST = 0.001
# A figure that is counted repeats; one that does not is not a result.
STEADY = 0.01


def relative_range(values):
    return (max(values) - min(values)) / median(values)


@dataclass(frozen=True)
class Row:
    """`ratio` is that of costs, ours to C; of throughput, C's to ours. So 1.00 or less is as good as C or better."""

    workload: str
    metric: str
    unit: str
    c: float
    ours: float
    ratio: float
    spread: float
    runs: int

    @classmethod
    def of(cls, workload, metric, unit, c, ours):
        """Made from the figures of runs that were done in turn. What is counted is compared as it is; what depends on
        the clock is compared in pairs, as the machine is not always as fast."""
        if metric == EVENTS:
            c, ours = ([max(value, LEAST) for value in values] for values in (c, ours))
        paired = [_ratio(metric, *pair) for pair in zip(c, ours, strict=True)]
        if metric in (COUNTED, EVENTS):
            ratio, spread = _ratio(metric, median(c), median(ours)), max(relative_range(c), relative_range(ours))
        else:
            ratio, spread = median(paired), relative_range(paired)
        return cls(workload, metric, unit, median(c), median(ours), ratio, spread, len(c))

    @property
    def steady(self):
        return self.metric != COUNTED or self.spread < STEADY


def _ratio(metric, c, ours):
    above, below = (c, ours) if metric == THROUGHPUT else (ours, c)
    return above / below
