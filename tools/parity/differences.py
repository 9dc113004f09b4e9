# SPDX-License-Identifier: GPL-2.0
"""Where this driver answers otherwise than C, and why. The first pattern that a question's name matches counts."""

import re

MEANT = ()


def why(question):
    return next((reason for pattern, reason in MEANT if re.fullmatch(pattern, question.name)), None)
