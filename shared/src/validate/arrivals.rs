//! Arrivals: a rate for all of the week, and what varies around it.

use super::Check;
use crate::arrivals::{Arrivals, Burstiness, DAY_S};
use crate::units::Weekday;

impl Check {
    pub(super) fn arrivals(&mut self, arrivals: &Arrivals) {
        let place = "/arrivals";
        let every = arrivals.knots_every_s;
        if every == 0 || !DAY_S.is_multiple_of(every) {
            self.wrong(&format!("{place}/knots_every_s"), every, "a divisor of 86400, such as 1800");
            return;
        }
        let expected = (DAY_S / every) as usize;
        for day in Weekday::ALL {
            let knots = arrivals.week.day(day);
            let here = format!("{place}/week/{}", day.name());
            if knots.len() != expected {
                let needed = format!("{expected} of them, one every {every} s");
                self.wrong(&here, format!("{} knots", knots.len()), needed);
            }
            for (i, rate) in knots.iter().enumerate().filter(|(_, rate)| !rate.is_finite() || **rate < 0.0) {
                self.wrong(&format!("{here}/{i}"), rate, "a rate >= 0");
            }
        }
        if arrivals.knots().iter().all(|rate| *rate <= 0.0) {
            self.wrong(&format!("{place}/week"), "a rate of 0 all week", "some sessions");
        }
        if let Some(cv) = arrivals.day_level_cv {
            self.not_negative(&format!("{place}/day_level_cv"), cv);
        }
        if let Some(weeks) = &arrivals.weeks {
            for (i, level) in weeks.levels.iter().enumerate() {
                self.not_negative(&format!("{place}/weeks/levels/{i}"), *level);
            }
            self.not_negative(&format!("{place}/weeks/next"), weeks.next);
        }
        arrivals.burstiness.iter().for_each(|burstiness| self.burstiness(burstiness));
        for (i, date) in arrivals.outlier_days.iter().enumerate() {
            if !is_date(date) {
                let here = format!("{place}/outlier_days/{i}");
                self.wrong(&here, format!("`{date}`"), "a date such as `2026-12-24`");
            }
        }
        // Dates in this form sort as they follow each other.
        if !arrivals.outlier_days.is_sorted_by(|one, next| one < next) {
            self.wrong(
                &format!("{place}/outlier_days"),
                "dates out of order",
                "each once, the earliest first",
            );
        }
    }

    fn burstiness(&mut self, burstiness: &Burstiness) {
        let place = "/arrivals/burstiness";
        let (constants, variances) = (&burstiness.time_constants_s, &burstiness.variances);
        if constants.len() != variances.len() {
            let needed = format!("{} of them, one for each time constant", constants.len());
            self.wrong(&format!("{place}/variances"), format!("{} variances", variances.len()), needed);
        }
        for (i, seconds) in constants.iter().enumerate() {
            self.positive(&format!("{place}/time_constants_s/{i}"), *seconds);
        }
        for (i, variance) in variances.iter().enumerate() {
            self.not_negative(&format!("{place}/variances/{i}"), *variance);
        }
    }
}

/// Four digits, two and two, of a month and a day that there are.
fn is_date(text: &str) -> bool {
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let month_and_day = number(month, 2).zip(number(day, 2));
    number(year, 4).is_some()
        && month_and_day.is_some_and(|(month, day)| (1..=12).contains(&month) && (1..=31).contains(&day))
}
