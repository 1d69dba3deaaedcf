//! Who takes visits when, near and far.

use tokio::time::{advance, timeout};

use super::*;
use crate::counting::{Company, CounterId, CounterName, Visit};

const FAR: Duration = Duration::from_millis(20);

/// What a test has of a queue: both ends, and what says how far away the store is.
struct Both {
    visits: mpsc::Sender<Waiting>,
    distance: watch::Sender<Option<Duration>>,
    places: Vec<Place>,
    metrics: Arc<CountingMetrics>,
}

impl Both {
    fn new(distance: Option<Duration>) -> Self {
        let (visits, waiting) = mpsc::channel(2 * BATCH_LIMIT);
        let (distance, known) = watch::channel(distance);
        let metrics = Arc::new(CountingMetrics::detached().unwrap());
        let places = Place::all(waiting, Some(known), metrics.clone()).collect();
        Self {
            visits,
            distance,
            places,
            metrics,
        }
    }

    fn come(&self, visits: usize) {
        for _ in 0..visits {
            let (company, name) = (Company::Default, CounterName::default_counter());
            let waiting = Waiting {
                counter: CounterId { company, name },
                visit: Visit::default(),
                reply: tokio::sync::oneshot::channel().0,
            };
            assert!(self.visits.try_send(waiting).is_ok());
            self.metrics.queue_depth.inc();
        }
    }
}

/// How many visits a lane gets, if it has a turn before anything else happens.
async fn taken_at_once(place: &mut Place) -> Option<usize> {
    let mut waiting = Vec::new();
    let taken = tokio::select! {
        biased;
        goes_on = place.take(&mut waiting) => Some(goes_on),
        // After all that can go on without the clock.
        () = tokio::task::yield_now() => None,
    };
    taken.map(|goes_on| {
        assert_eq!(goes_on, !waiting.is_empty());
        waiting.len()
    })
}

#[tokio::test(start_paused = true)]
async fn nearby_only_the_first_has_turns() {
    let mut both = Both::new(None);
    assert_eq!(both.places.len(), BATCHES);
    both.come(3);
    for other in &mut both.places[1..] {
        assert_eq!(taken_at_once(other).await, None);
    }
    assert_eq!(taken_at_once(&mut both.places[0]).await, Some(3));
    // Also if there was a distance once.
    both.distance.send_replace(Some(FAR));
    both.distance.send_replace(None);
    both.come(1);
    assert_eq!(taken_at_once(&mut both.places[1]).await, None);
    assert_eq!(taken_at_once(&mut both.places[0]).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn on_this_machine_there_is_one_lane() {
    let metrics = Arc::new(CountingMetrics::detached().unwrap());
    let places = Place::all(mpsc::channel(1).1, None, metrics);
    assert_eq!(places.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_a_distance_all_have_turns() {
    // Too near for a timer to spread them.
    let mut both = Both::new(Some(Duration::from_millis(1)));
    for place in &mut both.places {
        assert_eq!(taken_at_once(place).await, None);
    }
    for index in 0..BATCHES {
        both.come(index + 1);
        let taken = taken_at_once(&mut both.places[index]).await;
        assert_eq!(taken, Some(index + 1));
    }
    assert_eq!(both.metrics.queue_depth.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn far_away_batches_are_spread_over_a_round_trip() {
    let mut both = Both::new(Some(FAR));
    advance(FAR).await;
    both.come(1);
    // Idle, there is no delay.
    assert_eq!(taken_at_once(&mut both.places[0]).await, Some(1));
    let sent = Instant::now();
    both.come(2);
    let mut other = both.places[1].clone();
    let taking = tokio::spawn(async move {
        let mut waiting = Vec::new();
        assert!(other.take(&mut waiting).await);
        (waiting.len(), Instant::now())
    });
    advance(FAR / 8).await;
    both.come(3);
    let (taken, at) = taking.await.unwrap();
    assert_eq!(taken, 5);
    let pause = at - sent;
    assert!(pause >= FAR / 4 && pause < FAR / 3, "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_when_something_came_between_goes_first() {
    let mut both = Both::new(Some(FAR));
    both.come(3);
    let mut waiting = Vec::new();
    let place = &mut both.places[0];
    let between = timeout(FAR / 8, place.take(&mut waiting)).await;
    assert!(between.is_err());
    assert_eq!((waiting.len(), both.metrics.queue_depth.get()), (3, 0));
    // Others have turns meanwhile, and wait for them with the queue in their hands.
    let mut other = both.places[1].clone();
    let other = tokio::spawn(async move { other.take(&mut Vec::new()).await });
    tokio::task::yield_now().await;
    assert!(
        timeout(Duration::ZERO, both.places[0].take(&mut waiting))
            .await
            .unwrap()
    );
    assert_eq!(waiting.len(), 3);
    other.abort();
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_its_limit_also_when_it_is_collected() {
    let mut both = Both::new(Some(FAR));
    both.come(BATCH_LIMIT - 1);
    let mut other = both.places[1].clone();
    let taking = tokio::spawn(async move {
        let mut waiting = Vec::new();
        assert!(other.take(&mut waiting).await);
        waiting.len()
    });
    advance(FAR / 8).await;
    both.come(3);
    assert_eq!(taking.await.unwrap(), BATCH_LIMIT);
    assert_eq!(both.metrics.queue_depth.get(), 2);
    advance(FAR).await;
    assert_eq!(taken_at_once(&mut both.places[0]).await, Some(2));
}

/// Whether the store is near or far, and whoever has the last turn.
#[tokio::test(start_paused = true)]
async fn all_end_when_nobody_can_queue_any_more_and_all_is_taken() {
    for distance in [None, Some(FAR)] {
        let mut both = Both::new(distance);
        advance(FAR).await;
        both.come(2);
        drop(both.visits);
        let ends = both.places.drain(..).map(|mut place| {
            tokio::spawn(async move {
                let (mut taken, mut waiting) = (0, Vec::new());
                while place.take(&mut waiting).await {
                    taken += waiting.drain(..).count();
                }
                taken
            })
        });
        let ends: Vec<_> = ends.collect();
        let mut taken = 0;
        for end in ends {
            taken += timeout(FAR, end).await.expect("it ends").unwrap();
        }
        assert_eq!((taken, both.metrics.queue_depth.get()), (2, 0));
    }
}
