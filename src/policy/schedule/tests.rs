use jiff::Timestamp;
use jiff::civil::Time;
use proptest::prelude::*;

use super::windows::Window;
use super::*;

/// Zones with summer time in both hemispheres, offsets of half and quarter hours, changes of half an
/// hour, changes at midnight, and a country that has skipped a day.
const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Pacific/Apia",
    "Pacific/Kiritimati",
];

fn zone(name: &str) -> Zone {
    name.parse().expect(name)
}

fn moment(text: &str) -> i64 {
    text.parse::<Timestamp>().expect(text).as_second()
}

fn schedule(zone_name: &str, days: &[&str], hours: &[&str]) -> Schedule {
    let mut schedule = Schedule::new(zone(zone_name));
    if !days.is_empty() {
        let parsed = days.iter().map(|days| days.parse::<Days>().expect(days));
        schedule = schedule.with_days(parsed.fold(Days::default(), Days::with));
    }
    schedule.with_hours(hours.iter().map(|hours| hours.parse::<Hours>().expect(hours)))
}

/// The windows between two moments, in UTC.
fn windows(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let text = |seconds| Timestamp::from_second(seconds).expect("a moment").to_string();
    let windows = schedule.windows(moment(from), moment(to)).into_iter();
    windows.map(|Window { begin, end }| format!("{} {}", text(begin), text(end))).collect()
}

#[test]
fn a_day_is_the_local_one() {
    let monday = schedule("Pacific/Kiritimati", &["mon"], &[]);
    assert_eq!(
        windows(&monday, "2026-11-25T00:00:00Z", "2026-12-02T00:00:00Z"),
        ["2026-11-29T10:00:00Z 2026-11-30T10:00:00Z"]
    );
    let monday = schedule("America/New_York", &["mon"], &["20:00-24:00"]);
    assert_eq!(
        windows(&monday, "2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"),
        ["2026-12-01T01:00:00Z 2026-12-01T05:00:00Z"]
    );
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = schedule("Europe/Berlin", &["fri"], &["22:00-06:00"]);
    assert_eq!(
        windows(&night, "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z"),
        ["2026-11-27T21:00:00Z 2026-11-28T05:00:00Z"]
    );
}

#[test]
fn days_and_hours_that_touch_are_one_window() {
    let days = schedule("UTC", &["mon-wed"], &["00:00-12:00", "12:00-24:00"]);
    assert_eq!(
        windows(&days, "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"),
        ["2026-11-30T00:00:00Z 2026-12-03T00:00:00Z"]
    );
}

#[test]
fn a_time_that_is_skipped_does_not_occur() {
    let from = ["2027-03-28T00:00:00Z", "2027-03-28T23:00:00Z"];
    let all = |hours| windows(&schedule("Europe/Berlin", &[], &[hours]), from[0], from[1]);
    assert_eq!(all("02:15-02:45"), [""; 0]);
    assert_eq!(all("02:30-03:30"), ["2027-03-28T01:00:00Z 2027-03-28T01:30:00Z"]);
    assert_eq!(all("01:30-03:30"), ["2027-03-28T00:30:00Z 2027-03-28T01:30:00Z"]);
}

#[test]
fn a_time_that_is_repeated_is_open_both_times() {
    let from = ["2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z"];
    let all = |hours| windows(&schedule("Europe/Berlin", &[], &[hours]), from[0], from[1]);
    assert_eq!(
        all("02:15-02:45"),
        ["2026-10-25T00:15:00Z 2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z 2026-10-25T01:45:00Z"]
    );
    assert_eq!(all("01:00-04:00"), ["2026-10-24T23:00:00Z 2026-10-25T03:00:00Z"]);
}

#[test]
fn until_is_the_end_of_all_windows() {
    let until = Moment(moment("2026-12-01T12:00:00Z"));
    let days = schedule("UTC", &[], &["08:00-18:00"]).with_until(until);
    let end = "2026-12-05T00:00:00Z";
    assert_eq!(
        windows(&days, "2026-12-01T00:00:00Z", end),
        ["2026-12-01T08:00:00Z 2026-12-01T12:00:00Z"]
    );
    assert_eq!(windows(&days, "2026-12-01T12:00:00Z", end), [""; 0]);
}

#[test]
fn a_state_has_its_next_change() {
    let at = |text| Moment(moment(text));
    let office = schedule("UTC", &["mon-fri"], &["08:00-18:00"]);
    let state = |text| office.state(at(text));
    let monday = at("2026-11-30T08:00:00Z");
    assert_eq!(state("2026-11-27T18:00:00Z"), ScheduleState::Closed { opens: monday });
    let evening = Some(at("2026-11-30T18:00:00Z"));
    assert_eq!(state("2026-11-30T08:00:00Z"), ScheduleState::Open { closes: evening });
    let ended = office.clone().with_until(monday);
    assert_eq!(ended.state(at("2026-11-27T18:00:00Z")), ScheduleState::Ended);
    let always = Schedule::new(Zone::default());
    assert_eq!(always.state(monday), ScheduleState::Open { closes: None });
}

#[test]
fn a_schedule_is_described() {
    let until = Moment(moment("2026-12-01T17:00:00Z"));
    let office = schedule("Europe/Berlin", &["mon-fri", "sun"], &["08:00-18:00"]).with_until(until);
    let text = "mon-fri, sun, 08:00-18:00 (Europe/Berlin), until 2026-12-01 18:00 CET";
    assert_eq!(office.to_string(), text);
    assert_eq!(
        Schedule::new(Zone::default()).with_until(until).to_string(),
        "until 2026-12-01 17:00 UTC"
    );
    assert_eq!(until.to_string(), "2026-12-01T17:00:00Z");
}

/// Whether the wall clock says that it is open.
fn is_open_by_the_clock(schedule: &Schedule, at: i64) -> bool {
    let timestamp = Timestamp::from_second(at).expect("a moment");
    let local = timestamp.to_zoned_datetime(schedule.zone().zone().clone());
    let days = schedule.days().unwrap_or(Days::ALL);
    let day = local.weekday().to_monday_zero_offset() as u8;
    let seconds =
        (local.time() - Time::midnight()).total(jiff::Unit::Second).expect("seconds") as i64;
    let is_in = |hours: &Hours| {
        let (begin, end) = (hours.begin_seconds(), hours.end_seconds());
        (begin..end).contains(&seconds) && days.has(day)
            || (begin..end).contains(&(seconds + 86_400)) && days.has((day + 6) % 7)
    };
    match schedule.hours() {
        [] => days.has(day),
        hours => hours.iter().any(is_in),
    }
}

/// Schedules of every zone.
pub(in crate::policy) fn any_schedule() -> impl Strategy<Value = Schedule> {
    let minute = 0u16..1440;
    let hours = (minute.clone(), minute).prop_filter_map("not empty", |(begin, end)| {
        let time = |it: u16| format!("{:02}:{:02}", it / 60, it % 60);
        format!("{}-{}", time(begin), time(end)).parse::<Hours>().ok()
    });
    let days = prop::option::of(prop::collection::vec(0usize..7, 1..5));
    (prop::sample::select(&ZONES[..]), days, prop::collection::vec(hours, 0..4)).prop_map(
        |(name, days, hours)| {
            let mut schedule = Schedule::new(zone(name)).with_hours(hours);
            if let Some(days) = days {
                let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
                let parsed = days.into_iter().map(|day| names[day].parse::<Days>().expect("a day"));
                schedule = schedule.with_days(parsed.fold(Days::default(), Days::with));
            }
            schedule
        },
    )
}

proptest! {
    /// From 2026 to 2036, at random and around each change of the offset.
    #[test]
    fn a_window_is_open_when_the_local_clock_says_so(
        schedule in any_schedule(),
        random in prop::collection::vec(1_767_225_600i64..2_082_758_400, 50),
    ) {
        let (from, to) = (1_767_225_600, 2_082_758_400);
        let windows = schedule.windows(from, to);
        prop_assert!(windows.windows(2).all(|pair| pair[0].end < pair[1].begin));
        let changes = schedule.zone().periods(from, to).into_iter().map(|period| period.begin);
        let around = changes.flat_map(|at| [-1, 0, 1, 1800, 3600, 7199].map(|it| at + it));
        let borders = windows.iter().flat_map(|it| [it.begin, it.end, it.begin - 1, it.end - 1]);
        let borders = borders.step_by(97);
        for at in random.into_iter().chain(around).chain(borders).filter(|at| (from..to).contains(at)) {
            let is_open = windows.iter().any(|window| (window.begin..window.end).contains(&at));
            prop_assert_eq!(is_open, is_open_by_the_clock(&schedule, at), "{} {}", schedule, at);
            prop_assert_eq!(is_open, schedule.is_open(Moment(at)));
        }
    }
}
