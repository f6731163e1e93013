//! Which of several processes this one is, as whoever started it says in the environment.

use anyhow::bail;
use replayer::config::Share;

use super::output::say;

/// Variables that hold a process's rank and the number of processes, by who sets them.
const STARTERS: [(&str, &str, &str); 3] = [
    ("Slurm", "SLURM_PROCID", "SLURM_NTASKS"),
    ("an indexed job", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"),
    ("MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
];

/// The part of this process; all, when nobody says that there are others.
pub(super) fn of_this_process() -> anyhow::Result<Share> {
    let found = named_in(|name| std::env::var(name).ok())?;
    if let Some((starter, Share { index, of })) = found {
        say(&format!("shard {index} of {of}, as {starter} says; `--shard 0/1` sends everything from here"));
    }
    Ok(found.map_or(Share::ALL, |(_, share)| share))
}

/// Who started several processes, and which of them this is, by the value of each `variable`.
fn named_in(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<(&'static str, Share)>> {
    for (starter, rank, size) in STARTERS {
        let Some(index) = variable(rank) else { continue };
        let Some(of) = variable(size) else {
            bail!(
                "`{rank}` is set and `{size}` is not: found a rank, expected the number of ranks as well\n  \
                 hint: set `{size}` in the job, or give `--shard K/N`"
            );
        };
        // A job of one task, and every shell inside one, is nothing to share.
        let share: Share = match format!("{index}/{of}").parse() {
            Ok(share) => share,
            Err(_) => bail!(
                "`{rank}` and `{size}`: found `{index}` of `{of}`, expected a rank below the number of ranks"
            ),
        };
        return Ok((share.of > 1).then_some((starter, share)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Result<Option<(u64, u64)>, &str>) {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match (named_in(variable), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.map(|(_, share)| (share.index, share.of)), expected);
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{found:?} {expected:?}"),
        }
    }

    #[test]
    fn ranks_are_read_as_they_are_given() {
        check(&[], Ok(None));
        check(&[("SLURM_PROCID", "2"), ("SLURM_NTASKS", "4")], Ok(Some((2, 4))));
        check(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")], Ok(None));
        check(&[("JOB_COMPLETION_INDEX", "7"), ("JOB_COMPLETIONS", "8")], Ok(Some((7, 8))));
        check(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")], Ok(Some((1, 2))));
        check(&[("JOB_COMPLETION_INDEX", "7")], Err("`JOB_COMPLETIONS` is not"));
        check(&[("SLURM_PROCID", "4"), ("SLURM_NTASKS", "4")], Err("below the number"));
        check(&[("SLURM_PROCID", "x"), ("SLURM_NTASKS", "4")], Err("found `x` of `4`"));
    }
}
