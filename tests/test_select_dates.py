"""Which lines of lettering count as dates, as a reader gives them."""

from __future__ import annotations

import pytest

from overpaint.select.dates import may_be_date

DATES = (
    "12.08.2003|'98 6 14|2001/05/27 14:03|7/4/92|14:03|MAR 7 1987|31. Dez. 1999|6 août 1999|May 3rd|99.10.03 PM 5:21"
)
SPACES_LOST = "'98614|24122004|20041224|120803|980614|MAR 71987|MAR71987|201509010845|2001/05/2714:03"
OTHERS = "Jane Doe|TAXI L39387|OF WELLS|Market 24|998877|31.|39387|Maypole|99132004|Route 66|Mayfair 12"


@pytest.mark.parametrize("line", [*DATES.split("|"), *SPACES_LOST.split("|")])
def test_a_line_that_may_be_a_date_is_one_also_where_the_reader_lost_spaces(line):
    assert may_be_date(line)


@pytest.mark.parametrize("line", OTHERS.split("|"))
def test_other_lines_are_no_dates(line):
    assert not may_be_date(line)
