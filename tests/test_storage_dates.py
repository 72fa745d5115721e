"""Dates as documents state them and as filters name them."""

from __future__ import annotations

import pytest

from storage.dates import first_day, last_day, local_date, stated_date
from storage.errors import UsageError


@pytest.mark.parametrize(
    ("stated", "date"),
    [
        ("2023-01-17", "2023-01-17"),
        ("2023-01-17T18:57", "2023-01-17"),
        ("2023-01-17 10:00:00+00:00", "2023-01-17"),
        ("D:20230117185754Z", "2023-01-17"),
        ("20230117", "2023-01-17"),
        ("2023/1/7", "2023-01-07"),
        ("17.1.2023", "2023-01-17"),
        ("17 January 2023", "2023-01-17"),
        ("Jan 17, 2023", "2023-01-17"),
        ("Tue, 17 Jan 2023 10:00:00 GMT", "2023-01-17"),
        ("April 5th, 2021", "2021-04-05"),
        ("2023年1月17日", "2023-01-17"),
        ("2023-04", "2023-04"),
        ("January 2023", "2023-01"),
        ("2023", "2023"),
    ],
)
def test_dates_are_read_as_they_are_written(stated, date):
    """As exactly as the document says it, and no more exactly."""
    assert stated_date(stated) == date


@pytest.mark.parametrize(
    "stated",
    [
        *("", "n.d.", "soon", "2023-02-30", "2023-13", "12345678", "0000", "0999-01-01", "1.5.2"),
        *(
            "03/04/2023",
            "FY2023",
            "32 January 2023",
            "17 Brumaire 2023",
            "99999-01-01",
            "2023-1-1-1",
        ),
    ],
)
def test_what_is_no_date_is_none(stated):
    """Days the calendar lacks, other numbers, and orders that countries read differently."""
    assert stated_date(stated) == ""


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ("2023", "2023-01-01", "2023-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        (" 2023-04-30 ", "2023-04-30", "2023-04-30"),
    ],
)
def test_a_filter_names_a_span_of_days(given, first, last):
    """A year is all of it."""
    assert (first_day(given), last_day(given)) == (first, last)


@pytest.mark.parametrize(
    "given", ["", "yesterday", "23", "2023-2", "2023-02-30", "2023-13", "0000"]
)
def test_a_filter_with_another_date_is_refused(given):
    """With what to write instead."""
    for read in (first_day, last_day):
        with pytest.raises(UsageError, match=r"is no date\. Write 2023, 2023-04 or 2023-04-30"):
            read(given)


def test_a_moment_outside_the_calendar_has_no_date():
    """Broken file systems give such times."""
    assert local_date(0.0)[:3] in ("197", "196")
    assert local_date(1e30) == ""
