//! Reports how a run ended: the alert that is sent once (`alert`, with its `lock` and `message`),
//! and the heartbeat after each run (`heartbeat`). Knows neither AWS nor the terminal.

pub mod alert;
pub mod heartbeat;
pub mod lock;
pub mod message;
pub mod owner;
mod place;
mod state;
