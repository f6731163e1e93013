//! Requests that nobody clicks for: monitoring, jobs, other services. Each caller keeps its own connections.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::connect::{Lanes, Stamps};
use crate::exchange::{Order, Visitor};
use crate::feed::template::Client;
use crate::plan::{Paths, PlannedCall};
use crate::session::{Presence, Stage, due, send};

/// Begins the calls that are due from `from_ns` on of part `shard` of `shards` of the plan. The stage is open until the
/// last of them is over.
pub(crate) fn begin(stage: &Rc<Stage>, shard: u64, shards: u64, from_ns: u64) {
    let presence = Presence::new(Rc::clone(stage));
    tokio::task::spawn_local(async move {
        let stage = presence.stage();
        let plan = Arc::clone(&stage.plan);
        call(stage, plan.background_calls(shard, shards).filter(|call| call.at_ns >= from_ns)).await;
    });
}

/// Somebody who calls by the clock.
struct Caller<'a> {
    visitor: Rc<Visitor>,
    paths: Paths<'a>,
    client: Option<Client>,
}

/// Makes `calls`, which are in the order of their moments, whether or not those before have been answered.
async fn call(stage: &Rc<Stage>, calls: impl Iterator<Item = PlannedCall>) {
    let mut callers = BTreeMap::<u64, Caller<'_>>::new();
    for call in calls {
        if !due(stage, call.at_ns).await {
            return;
        }
        let mut recorder = stage.recorder.borrow_mut();
        recorder.planned_more(call.endpoint);
        if !stage.purse.pay_request() {
            recorder.cut_short(call.endpoint);
            return;
        }
        if !stage.live.has_room(stage.max_in_flight) {
            recorder.shed(call.endpoint, stage.timer.now_ns());
            continue;
        }
        drop(recorder);
        let new = || {
            let lanes = Lanes::new(Rc::clone(&stage.station));
            let visitor = Visitor::new(format!("caller-{}", call.caller), lanes);
            let client = stage.templates.as_ref().map(|templates| {
                templates.client(visitor.name.to_string(), &mut stage.plan.rows_of_caller(call.caller))
            });
            Caller { visitor: Rc::new(visitor), paths: stage.plan.paths_of_caller(call.caller), client }
        };
        let Caller { visitor, paths, client } = callers.entry(call.caller).or_insert_with(new);
        let visitor = Rc::clone(visitor);
        let (path, carried) = stage.dress(call.endpoint, paths, client.as_ref());
        let presence = Presence::new(Rc::clone(stage));
        tokio::task::spawn_local(async move {
            let stage = presence.stage();
            let PlannedCall { at_ns, endpoint, .. } = call;
            let method = stage.plan.endpoints[endpoint].method.clone();
            // Callers follow no chain: what production took before does not move them.
            let order = Order {
                endpoint,
                method,
                path,
                carried,
                keeps: false,
                scheduled_at: at_ns,
                chain_due_at: at_ns,
            };
            send(stage, &visitor, order, Stamps::new(stage.timer.clock())).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::on_stage;

    const MS: u64 = 1_000_000;

    #[test]
    fn calls_keep_their_moments_whatever_the_answers_take() {
        // Two callers, a call every 10 ms, answers after 50 ms.
        let (counted, connections) = on_stage(50, async |stage| {
            let begin_ns = stage.timer.now_ns();
            let planned = |i: u64| PlannedCall { at_ns: begin_ns + i * 10 * MS, endpoint: 0, caller: i % 2 };
            call(stage, (0..16).map(planned)).await;
            stage.open.none().await;
        });
        assert_eq!((counted.requests.planned, counted.requests.completed), (16, 16));
        // Five are under way at once; of each caller, one more connection than that may be needed.
        assert!((4..=10).contains(&connections), "{connections}");
        assert!(counted.endpoints[0].response.ended.quantile_s(0.5) < 0.1);
    }
}
