//! What a page brings along: images, scripts, calls of its own. They are fetched beside it, as a browser does.

use std::rc::Rc;

use crate::connect::Stamps;
use crate::exchange::{Order, Visitor};
use crate::feed::template::Carried;
use crate::plan::PlannedCompanion;
use crate::session::{Presence, Stage, due, send};

/// When a page was due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageDue {
    pub(crate) at_ns: u64,
    /// When it would have been, had all answers before taken what they take in production.
    pub(crate) chain_ns: u64,
}

/// Fetches `companions`, each with its path and what the request carries, for `visitor` beside whatever else the session does, over its own connections and as many at
/// once as a browser would open. Each is measured by itself, from the moment that it was due.
pub(crate) fn fetch(
    stage: &Rc<Stage>,
    visitor: &Rc<Visitor>,
    page: PageDue,
    companions: impl IntoIterator<Item = (PlannedCompanion, (String, Option<Carried>))>,
) {
    for (companion, (path, carried)) in companions {
        stage.recorder.borrow_mut().planned_more(companion.endpoint);
        let (presence, visitor) = (Presence::new(Rc::clone(stage)), Rc::clone(visitor));
        tokio::task::spawn_local(async move {
            let stage = presence.stage();
            let scheduled_at = page.at_ns.saturating_add(companion.offset_ns);
            let chain_due_at = page.chain_ns.saturating_add(companion.offset_ns);
            if !due(stage, scheduled_at).await {
                stage.recorder.borrow_mut().cut_short(companion.endpoint);
                return;
            }
            let stamps = Stamps::new(stage.timer.clock());
            let _lane = visitor.lane(&stamps).await;
            if !stage.live.has_room(stage.max_in_flight) {
                stage.recorder.borrow_mut().shed(companion.endpoint, stage.timer.now_ns());
                return;
            }
            let method = stage.plan.endpoints[companion.endpoint].method.clone();
            if !stage.purse.pay_request() {
                stage.recorder.borrow_mut().cut_short(companion.endpoint);
                return;
            }
            let endpoint = companion.endpoint;
            let order = Order { endpoint, method, path, carried, keeps: false, scheduled_at, chain_due_at };
            send(stage, &visitor, order, stamps).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{on_stage, visitor};

    const MS: u64 = 1_000_000;

    #[test]
    fn companions_share_six_connections_and_count_from_when_they_were_due() {
        // Each takes 50 ms: twenty over six connections take four rounds.
        let (counted, connections) = on_stage(50, async |stage| {
            let page = PageDue { at_ns: stage.timer.now_ns(), chain_ns: 0 };
            let companion = (
                PlannedCompanion { endpoint: 0, offset_ns: 10 * MS },
                ("/".to_owned(), Some(Carried::default())),
            );
            fetch(stage, &visitor(stage), page, vec![companion; 20]);
            stage.open.none().await;
        });
        assert_eq!((counted.requests.planned, counted.requests.completed), (20, 20));
        assert_eq!(connections, 6);
        let response = &counted.endpoints[0].response.ended;
        assert!((0.05..0.15).contains(&response.quantile_s(0.01)), "{}", response.quantile_s(0.01));
        assert!(response.max_s() >= 0.2, "{}", response.max_s());
        // That they had to wait for a connection is not the generator's delay.
        assert!(counted.endpoints[0].send_delay.quantile_s(0.9) < 0.05);
    }

    #[test]
    fn companions_that_exceed_the_cap_are_shed() {
        let (counted, _) = on_stage(50, async |stage| {
            let companion =
                (PlannedCompanion { endpoint: 0, offset_ns: 0 }, ("/".to_owned(), Some(Carried::default())));
            let page = PageDue { at_ns: stage.timer.now_ns(), chain_ns: 0 };
            // Three visitors with six connections each, where ten requests may wait.
            for _ in 0..3 {
                fetch(stage, &visitor(stage), page, vec![companion.clone(); 6]);
            }
            stage.open.none().await;
        });
        let requests = counted.requests;
        assert_eq!((requests.planned, requests.completed, requests.dropped), (18, 10, 8));
    }
}
