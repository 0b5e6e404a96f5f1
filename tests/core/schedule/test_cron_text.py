from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nbsession.core.schedule.cron import CronExpression
from nbsession.core.schedule.instant import from_instant, to_instant
from nbsession.core.schedule.zone import find_zone

START = datetime(2026, 11, 22, 19, 25, 56, tzinfo=UTC)  # a Sunday


def matches(text: str, number: int, start: datetime = START) -> list[str]:
    expression = CronExpression(text, find_zone("UTC"))
    found = []
    instant_us = to_instant(start)
    for _ in range(number):
        following = expression.next_after(instant_us)
        assert following is not None
        instant_us = following
        found.append(from_instant(instant_us).strftime("%y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("* * * * *", "26-11-22 19:26:00", "26-11-22 19:27:00"),
        ("* * * * * *", "26-11-22 19:25:57", "26-11-22 19:25:58"),
        ("0 9 * * * 30", "26-11-23 09:00:30", "26-11-24 09:00:30"),
        ("*/20 * * * * */30", "26-11-22 19:40:00", "26-11-22 19:40:30"),
        ("  0\t9 * *   MON-Fri ", "26-11-23 09:00:00", "26-11-24 09:00:00"),
        ("0 9 * * 7", "26-11-29 09:00:00", "26-12-06 09:00:00"),
        ("0 9 * * 7 0", "26-11-29 09:00:00", "26-12-06 09:00:00"),
        ("0 9 * * sun", "26-11-29 09:00:00", "26-12-06 09:00:00"),
        ("0 0 1 jan,JUL *", "27-01-01 00:00:00", "27-07-01 00:00:00"),
        ("@hourly", "26-11-22 20:00:00", "26-11-22 21:00:00"),
        ("@daily", "26-11-23 00:00:00", "26-11-24 00:00:00"),
        ("@Midnight", "26-11-23 00:00:00", "26-11-24 00:00:00"),
        ("@weekly", "26-11-29 00:00:00", "26-12-06 00:00:00"),
        ("@monthly", "26-12-01 00:00:00", "27-01-01 00:00:00"),
        ("@yearly", "27-01-01 00:00:00", "28-01-01 00:00:00"),
        ("@annually", "27-01-01 00:00:00", "28-01-01 00:00:00"),
        ("0 0 L * *", "26-11-30 00:00:00", "26-12-31 00:00:00"),
        ("0 0 L 2 *", "27-02-28 00:00:00", "28-02-29 00:00:00"),
        ("0 0 15,l * *", "26-11-30 00:00:00", "26-12-15 00:00:00"),
        ("0 0 29-L 2 *", "28-02-29 00:00:00", "32-02-29 00:00:00"),
        ("0 0 29 2 *", "28-02-29 00:00:00", "32-02-29 00:00:00"),
        ("0 0 * * fri#2", "26-12-11 00:00:00", "27-01-08 00:00:00"),
        ("0 0 * * 5#2", "26-12-11 00:00:00", "27-01-08 00:00:00"),
        ("0 0 * * 1#1,5#5", "26-12-07 00:00:00", "27-01-04 00:00:00"),
        ("0 0 * 1 5#5", "27-01-29 00:00:00", "31-01-31 00:00:00"),
        ("0 0 * 2 mon#5", "44-02-29 00:00:00", "72-02-29 00:00:00"),
        ("0 0 * * L5", "26-11-27 00:00:00", "26-12-25 00:00:00"),
        ("0 0 * * l7", "26-11-29 00:00:00", "26-12-27 00:00:00"),
        ("0 0 * * mon-tue#1", "26-12-01 00:00:00", "26-12-07 00:00:00"),
        ("0 0 * * 0#1 5", "26-12-06 00:00:05", "27-01-03 00:00:05"),
        # either day will do, as in every cron
        ("0 0 13 * fri", "26-11-27 00:00:00", "26-12-04 00:00:00"),
        ("0 0 31 2 1", "27-02-01 00:00:00", "27-02-08 00:00:00"),
        ("0 0 1 * 0-6", "26-11-23 00:00:00", "26-11-24 00:00:00"),
        ("0 0 1 * *", "26-12-01 00:00:00", "27-01-01 00:00:00"),
        ("0 0 1-31 * fri", "26-11-23 00:00:00", "26-11-24 00:00:00"),
        ("0 0 5,*/2 * mon", "26-11-23 00:00:00", "26-11-25 00:00:00"),
        ("0 0 13 * mon,*/3", "26-11-23 00:00:00", "26-11-25 00:00:00"),
        # but both where a field begins with a star
        ("0 0 */2 * mon", "26-11-23 00:00:00", "26-12-07 00:00:00"),
        ("0 0 */2 * mon 30", "26-11-23 00:00:30", "26-12-07 00:00:30"),
        ("0 0 13 * */5", "26-12-13 00:00:00", "27-06-13 00:00:00"),
        ("0 0 */10 * */2", "26-12-01 00:00:00", "26-12-31 00:00:00"),
        ("0 0 */2,10 * mon", "26-11-23 00:00:00", "26-12-07 00:00:00"),
        ("0 0 *,5 * mon", "26-11-23 00:00:00", "26-11-30 00:00:00"),
        ("0 0 */1 * fri", "26-11-27 00:00:00", "26-12-04 00:00:00"),
        ("0 0 1 * */1", "26-12-01 00:00:00", "27-01-01 00:00:00"),
        ("0 0 ? * */5", "26-11-27 00:00:00", "26-11-29 00:00:00"),
        ("0 0 l * */2", "26-12-31 00:00:00", "27-01-31 00:00:00"),
        ("0 0 29 2 */7", "32-02-29 00:00:00", "60-02-29 00:00:00"),
        ("0 0 */9 * *", "26-11-28 00:00:00", "26-12-01 00:00:00"),
        ("0 0 */2 * fri#2", "26-12-11 00:00:00", "27-04-09 00:00:00"),
        # where versions of croniter differ
        ("0 0 1,31 2,3 *", "27-02-01 00:00:00", "27-03-01 00:00:00"),
        ("0 9-9 * * *", "26-11-23 09:00:00", "26-11-24 09:00:00"),
        ("0 22-1 * * *", "26-11-22 22:00:00", "26-11-22 23:00:00"),
        ("0 0 * * fri-mon", "26-11-23 00:00:00", "26-11-27 00:00:00"),
        ("0 0 * * fri-sun/2", "26-11-27 00:00:00", "26-11-29 00:00:00"),
        ("0 0 * * 1/3", "26-11-23 00:00:00", "26-11-26 00:00:00"),
        ("0/15 * * * *", "26-11-22 19:30:00", "26-11-22 19:45:00"),
        ("59/15 * * * *", "26-11-22 19:59:00", "26-11-22 20:59:00"),
        ("0 0 ? * 1", "26-11-23 00:00:00", "26-11-30 00:00:00"),
        ("0 0 1 * ?", "26-12-01 00:00:00", "27-01-01 00:00:00"),
        ("0 0 * * 1-5#1", "26-12-01 00:00:00", "26-12-02 00:00:00"),
        ("0 0 * * 0-7", "26-11-23 00:00:00", "26-11-24 00:00:00"),
        ("*/100 * * * *", "26-11-22 20:00:00", "26-11-22 21:00:00"),
    ],
)
def test_what_is_understood(text: str, first: str, second: str) -> None:
    assert matches(text, 2) == [first, second]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", "has 0 fields: give five"),
        ("   ", "has 0 fields: give five"),
        ("daily", "has 1 fields: give five"),
        ("* * * *", "has 4 fields: give five"),
        ("* * * * * * *", "has 7 fields: give five"),
        ("@reboot", "setup script"),
        ("@REBOOT", "setup script"),
        ("@often", "@daily"),
        ("@daily * * * *", "@daily"),
        ("60 * * * *", "the minute field '60' is not understood: use 0 to 59"),
        ("-1 * * * *", "the minute field"),
        ("0 24 * * *", "the hour field '24' is not understood: use 0 to 23"),
        ("0 0 0 * *", "the day of the month field '0'"),
        ("0 0 0 * * 0", "the day of the month field '0'"),
        ("0 0 0-5 * *", "the day of the month field"),
        ("0 0 32 * *", "the day of the month field '32' is not understood: use 1 to 31"),
        ("0 0 1 0 *", "the month field '0'"),
        ("0 0 1 13 *", "the month field '13' is not understood: use 1 to 12"),
        ("0 0 * * 8", "the day of the week field '8' is not understood: use 0 to 7"),
        ("0 0 * * * 60", "the second field '60' is not understood: use 0 to 59"),
        ("0 0 * * fre", "sun to sat"),
        ("0 0 * * friday", "sun to sat"),
        ("0 0 * mai *", "jan to dec"),
        ("mon * * * *", "the minute field 'mon'"),
        ("0 0 * * fri#0", "the day of the week field"),
        ("0 0 * * fri#6", "the day of the week field"),
        ("0 0 * * *#1", "the day of the week field"),
        ("0 0 * * 5L", "the day of the week field"),
        ("0 0 * * L", "the day of the week field"),
        ("0 0 * * L8", "the day of the week field"),
        ("0 0 * * 1,fri#2", "the day of the week field"),
        ("0 0 * L *", "the month field 'l'"),
        ("0 0 L-5 * *", "the day of the month field"),
        ("0 0 15W * *", "the day of the month field '15w'"),
        ("0 0 LW * *", "the day of the month field"),
        ("*/0 * * * *", "the minute field"),
        ("5-10/0 * * * *", "the minute field"),
        ("*/-5 * * * *", "the minute field"),
        ("*/x * * * *", "the minute field"),
        ("1, * * * *", "the minute field '1,'"),
        ("1,,2 * * * *", "the minute field"),
        ("1- * * * *", "the minute field"),
        ("1-2-3 * * * *", "the minute field"),
        ("1.5 * * * *", "the minute field"),
        ("h * * * *", "the minute field 'h'"),
        ("r * * * *", "the minute field 'r'"),
        ("r/5 * * * *", "the minute field"),
        ("r(0-10) * * * *", "the minute field"),
        ("? * * * *", "the minute field"),
        ("0 ٣ * * *", "ASCII"),
        ("0\u00a00 * * *", "ASCII"),
        ("0 0 31 2 *", "never matches"),
        ("0 0 30,31 feb *", "never matches"),
        ("0 0 31 4,6,9,11 *", "never matches"),
        ("0 0 1-7 * mon#1", "make two tasks"),
    ],
)
def test_what_is_not_understood(text: str, right: str) -> None:
    with pytest.raises(ValueError, match=right.replace("*", r"\*")) as raised:
        CronExpression(text, find_zone("UTC"))
    assert type(raised.value) is ValueError
    assert str(raised.value).startswith("cron=")


def test_no_match_after_the_last_year() -> None:
    expression = CronExpression("0 0 1 1 *", find_zone("UTC"))
    assert expression.next_after(to_instant(datetime(9998, 12, 31, 23, tzinfo=UTC))) is None
    assert expression.next_after(2**62) is None
    assert expression.next_after(-(2**62)) is not None


def test_expressions_are_values() -> None:
    berlin, utc = find_zone("Europe/Berlin"), find_zone("UTC")
    expression = CronExpression("0 9 * * mon", berlin)
    assert expression == CronExpression(" 0  9 * * MON", berlin)
    assert hash(expression) == hash(CronExpression("0 9 * * MON", berlin))
    assert expression != CronExpression("0 9 * * mon", utc)
    assert expression != CronExpression("0 9 * * tue", berlin)
