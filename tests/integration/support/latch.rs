//! A latch holds the replies of servers until the test opens it. So a test makes two things happen
//! at the same time without waiting for a fixed time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A limit, so that a broken program fails a test instead of hanging it.
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, Default)]
pub struct Latch(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Latch {
    /// For the server: counts the arrival and waits until the latch opens.
    pub fn arrive_and_wait(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.arrived += 1;
        changed.notify_all();
        drop(changed.wait_timeout_while(state, LIMIT, |state| !state.open));
    }

    /// For the test: waits until `count` servers have arrived.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = changed
            .wait_timeout_while(state, LIMIT, |state| state.arrived < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(state.arrived >= count, "{} of {count} arrived within {LIMIT:?}", state.arrived);
    }

    /// Releases all servers, now and later.
    pub fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        changed.notify_all();
    }
}
