//! What can happen on the way to a Redis and back.

use std::time::Duration;

use super::scenario::{Effect, Fault, from_the_start, start, under_load};
use crate::support::{
    Footfall, Redis,
    fault_proxy::{FaultProxy, Mischief},
    footfall::Builder,
};

/// A Redis and the way to it.
struct Wire {
    proxy: FaultProxy,
    _redis: Redis,
}

impl Wire {
    async fn new() -> (Self, Builder) {
        let redis = Redis::start();
        let proxy = FaultProxy::start(redis.port).await;
        let service = Footfall::builder().env("REDIS_URL", proxy.url());
        let wire = Self {
            proxy,
            _redis: redis,
        };
        (wire, service)
    }

    fn mend(&mut self) {
        self.proxy.set(Mischief::Nothing);
    }

    /// Cutting connections must have been what the clients suffered from.
    fn mend_after_cuts(&mut self) {
        self.mend();
        assert!(self.proxy.cuts() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_after_the_visits_were_counted() {
    let (wire, service) = Wire::new().await;
    let fault = Fault {
        inject: |wire: &mut Wire| wire.proxy.set(Mischief::CutAfterExecution),
        mend: Wire::mend_after_cuts,
        effect: Effect::Refusals,
    };
    under_load(fault, wire, start(service)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_middle_of_the_reply() {
    let (wire, service) = Wire::new().await;
    let fault = Fault {
        inject: |wire: &mut Wire| wire.proxy.set(Mischief::CutInReply),
        mend: Wire::mend_after_cuts,
        effect: Effect::Refusals,
    };
    under_load(fault, wire, start(service)).await;
}

const SLOW: Fault<Wire> = Fault {
    inject: |wire| wire.proxy.set(Mischief::Delay(Duration::from_millis(300))),
    mend: Wire::mend,
    effect: Effect::Nothing,
};

#[tokio::test(flavor = "multi_thread")]
async fn slow() {
    let (wire, service) = Wire::new().await;
    under_load(SLOW, wire, start(service)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_from_the_start() {
    let (wire, service) = Wire::new().await;
    from_the_start(SLOW, wire, service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slower_than_the_time_limit() {
    let (wire, service) = Wire::new().await;
    let fault = Fault {
        inject: |wire: &mut Wire| wire.proxy.set(Mischief::Delay(Duration::from_millis(1500))),
        mend: Wire::mend,
        effect: Effect::Outage,
    };
    under_load(fault, wire, start(service)).await;
}
