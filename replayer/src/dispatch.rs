//! Begins each session when it is due: it waits, hands over, and neither computes a schedule nor reads an answer.

use std::rc::Rc;

use tokio::sync::watch;

use crate::plan::PlannedSession;
use crate::session::{self, Stage};

/// What is wanted of a run that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Wish {
    /// To go on.
    #[default]
    GoOn,
    /// To send nothing new, wait for the answers that are under way, and report.
    Drain,
    /// To report at once.
    Cut,
}

/// Plays `sessions`, waits until the last one is over, and obeys `wish`.
///
/// A session that is handed over late is not skipped, and nothing is hurried to make up for it: it is sent at once,
/// and the delay shows in its send delay.
pub(crate) async fn dispatch(
    stage: &Rc<Stage>,
    sessions: impl Iterator<Item = PlannedSession>,
    mut wish: watch::Receiver<Wish>,
) {
    let mut cut = wish.clone();
    let play = async {
        for session in sessions {
            tokio::select! {
                biased;
                () = stage.timer.sleep_until(session.starts_at_ns) => {}
                () = reached(&mut wish, Wish::Drain) => break,
            }
            session::begin(stage, session);
        }
        tokio::select! {
            biased;
            () = stage.open.none() => {}
            () = reached(&mut wish, Wish::Drain) => {
                stage.closing.say();
                stage.open.none().await;
            }
        }
    };
    tokio::select! {
        biased;
        () = play => {}
        () = reached(&mut cut, Wish::Cut) => {}
    }
}

/// Waits until at least `least` is wished; for ever if that never comes.
async fn reached(wish: &mut watch::Receiver<Wish>, least: Wish) {
    if wish.wait_for(|wish| *wish >= least).await.is_err() {
        std::future::pending::<()>().await;
    }
}
