//! What the sources here get in the place of the crates they name.

pub mod std {
    pub use ::std::{collections, mem, time};

    pub mod sync {
        pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};
        pub use std::sync::PoisonError;
    }
}

pub mod prometheus {
    use loom::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    /// A value that all clones share.
    #[derive(Debug, Clone)]
    pub struct IntGauge(Arc<AtomicI64>);

    impl IntGauge {
        pub fn new() -> Self {
            Self(Arc::new(AtomicI64::new(0)))
        }

        pub fn set(&self, value: i64) {
            self.0.store(value, Ordering::Relaxed);
        }

        pub fn get(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }
}

pub mod tokio {
    /// No test here waits for one of two.
    macro_rules! one_of_two {
        ($($any:tt)*) => {
            unreachable!()
        };
    }
    pub(crate) use one_of_two as select;

    pub mod sync {
        use loom::sync::{Condvar, MutexGuard};

        /// Whoever waits for it keeps its thread: here each has one of its own.
        #[derive(Debug)]
        pub struct Mutex<T>(loom::sync::Mutex<T>);

        impl<T> Mutex<T> {
            pub fn new(value: T) -> Self {
                Self(loom::sync::Mutex::new(value))
            }

            pub async fn lock(&self) -> MutexGuard<'_, T> {
                self.0.lock().unwrap()
            }
        }

        /// Remembers one notification, as tokio's does.
        #[derive(Debug)]
        pub struct Notify {
            notified: loom::sync::Mutex<bool>,
            changed: Condvar,
        }

        impl Notify {
            pub fn new() -> Self {
                Self {
                    notified: loom::sync::Mutex::new(false),
                    changed: Condvar::new(),
                }
            }

            pub fn notify_one(&self) {
                *self.notified.lock().unwrap() = true;
                self.changed.notify_one();
            }

            pub async fn notified(&self) {
                let mut notified = self.notified.lock().unwrap();
                while !*notified {
                    notified = self.changed.wait(notified).unwrap();
                }
                *notified = false;
            }
        }
    }

    pub mod time {
        use std::time::Duration;

        /// Nothing here takes any time.
        pub async fn timeout<T>(_: Duration, work: impl Future<Output = T>) -> T {
            work.await
        }
    }
}

pub mod tracing {
    macro_rules! say_nothing {
        ($($any:tt)*) => {};
    }
    pub(crate) use say_nothing as info;
    pub(crate) use say_nothing as warn;
}
