//! Lesson 22, third part: a deadlock, its detection, and its cure.
//!
//! ```sh
//! cargo run --example deadlock
//! ```
//!
//! Look for: two transfers, each with one account locked and waiting for the other. A time-out detects it. Cured, both
//! take the locks in the same order, and both are done.
//!
//! In Python: two `threading.Thread`s with two `threading.Lock`s, taken crosswise, and a program that never ends. Rust
//! prevents data races, not deadlocks; but a future that waits can be dropped, and then gives back what it holds.

mod pace;

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, Mutex};
use tokio::time::timeout;

/// An account: its number decides which of two is locked first.
struct Account {
    number: u32,
    balance: Mutex<i64>,
}

/// Locks `from`, then `to`. Two of these, crosswise, wait for each other for ever.
async fn transfer_crosswise(from: &Account, to: &Account, amount: i64, both_hold_one: &Barrier) {
    let mut from_balance = from.balance.lock().await;
    println!("transfer {} -> {}: holds {}, waits for {}", from.number, to.number, from.number, to.number);
    both_hold_one.wait().await; // this arranges the bad case, each time
    let mut to_balance = to.balance.lock().await;
    *from_balance -= amount;
    *to_balance += amount;
}

/// Locks the account with the lower number first, whichever way the money goes. A circle can no longer close.
async fn transfer_in_order(from: &Account, to: &Account, amount: i64) {
    let (low, high) = if from.number < to.number { (from, to) } else { (to, from) };
    let mut low_balance = low.balance.lock().await;
    tokio::task::yield_now().await; // the other transfer is given its chance to do harm
    let mut high_balance = high.balance.lock().await;
    let amount = if low.number == from.number { amount } else { -amount };
    *low_balance -= amount;
    *high_balance += amount;
    println!("transfer {} -> {}: done", from.number, to.number);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    pace::virtual_time();
    let account = |number| Arc::new(Account { number, balance: Mutex::new(100) });
    let (a, b) = (account(1), account(2));

    let both_hold_one = Barrier::new(2);
    // `join!` runs both at once, in this task. When the time-out drops it, both futures and their locks go with it.
    let crosswise = async {
        tokio::join!(transfer_crosswise(&a, &b, 30, &both_hold_one), transfer_crosswise(&b, &a, 10, &both_hold_one))
    };
    match timeout(Duration::from_secs(1), crosswise).await {
        Err(_) => println!("crosswise: nothing moves after 1 s: a deadlock"),
        Ok(_) => println!("crosswise: done"),
    }
    println!("balances: {} and {}", a.balance.lock().await, b.balance.lock().await);

    let in_order = async { tokio::join!(transfer_in_order(&a, &b, 30), transfer_in_order(&b, &a, 10)) };
    match timeout(Duration::from_secs(1), in_order).await {
        Err(_) => println!("in order: nothing moves after 1 s: a deadlock"),
        Ok(_) => println!("in order: done"),
    }
    println!("balances: {} and {}", a.balance.lock().await, b.balance.lock().await);
}
