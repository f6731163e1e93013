//! Which share of the sessions each class has.

use shared::Profile;

use crate::config::Schedule;
use crate::error::Error;

/// The weight of each class of `profile` under `schedule`: as measured, unless a class is given another share. What the
/// given shares leave is divided among the others in proportion.
///
/// # Errors
/// [`Error::UnknownName`] for a class that there is not, [`Error::Setting`] for shares that do not add up to 1.
pub(super) fn weights(profile: &Profile, schedule: &Schedule) -> Result<Vec<f64>, Error> {
    let position = |setting, id: &str| {
        profile.classes.iter().position(|class| class.id == id).ok_or_else(|| Error::UnknownName {
            name: setting,
            found: id.to_owned(),
            known: profile.classes.iter().map(|class| class.id.as_str()).collect::<Vec<_>>().join("`, `"),
        })
    };
    let mut weights: Vec<f64> = profile.classes.iter().map(|class| class.weight).collect();
    if let Some(id) = &schedule.artificial.one_class {
        let only = position("--one-class", id)?;
        weights.iter_mut().enumerate().for_each(|(at, weight)| *weight = f64::from(u8::from(at == only)));
        return Ok(weights);
    }
    if schedule.class_mix.is_empty() {
        return Ok(weights);
    }
    let mut given = vec![None; weights.len()];
    for (id, share) in &schedule.class_mix {
        given[position("--class", id)?] = Some(*share);
    }
    let of_given: f64 = given.iter().flatten().sum();
    let of_others: f64 =
        weights.iter().zip(&given).filter(|(_, given)| given.is_none()).map(|(weight, _)| weight).sum();
    let left = 1.0 - of_given;
    // Shares are typed with few digits.
    let adds_up = if of_others > 0.0 { left >= -1e-9 } else { left.abs() < 1e-3 };
    if !adds_up {
        return Err(Error::Setting {
            name: "--class",
            found: format!("{of_given} as the sum of the shares"),
            expected: "at most 1, and 1 where every class is given one",
        });
    }
    let scale = if of_others > 0.0 { left.max(0.0) / of_others } else { 0.0 };
    Ok(weights.iter().zip(given).map(|(weight, given)| given.unwrap_or(weight * scale)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;

    /// Classes `all`, `buy` and `bot` with weights 0.5, 0.3 and 0.2.
    fn profile() -> Profile {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        for (id, weight) in [("buy", 0.3), ("bot", 0.2)] {
            let mut class = profile.classes[0].clone();
            (class.id, class.weight) = (id.to_owned(), weight);
            profile.classes.push(class);
        }
        profile.classes[0].weight = 0.5;
        profile
    }

    #[track_caller]
    fn check(mix: &[(&str, f64)], one: Option<&str>, expected: Result<[f64; 3], &str>) {
        let class_mix = mix.iter().map(|(id, share)| ((*id).to_owned(), *share)).collect();
        let mut schedule = Schedule { class_mix, ..Schedule::default() };
        schedule.artificial.one_class = one.map(str::to_owned);
        match (weights(&profile(), &schedule), expected) {
            (Ok(found), Ok(expected)) => {
                assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12), "{found:?}");
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{found:?} {expected:?}"),
        }
    }

    #[test]
    fn given_shares_hold_and_the_others_keep_their_proportions() {
        check(&[], None, Ok([0.5, 0.3, 0.2]));
        check(&[("all", 0.0)], None, Ok([0.0, 0.6, 0.4]));
        check(&[("buy", 0.5), ("bot", 0.25)], None, Ok([0.25, 0.5, 0.25]));
        check(&[("all", 0.5), ("buy", 0.5), ("bot", 0.0)], None, Ok([0.5, 0.5, 0.0]));
        check(&[], Some("buy"), Ok([0.0, 1.0, 0.0]));
        check(&[("all", 0.9), ("buy", 0.2)], None, Err("1.1"));
        check(&[("all", 0.3), ("buy", 0.3), ("bot", 0.3)], None, Err("as the sum"));
        check(&[("al", 0.3)], None, Err("found `al`"));
        check(&[], Some("bots"), Err("`all`, `buy`, `bot`"));
    }
}
