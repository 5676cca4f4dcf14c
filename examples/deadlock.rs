//! Lesson 22, third part: a deadlock, how to detect it, and how to cure it.
//!
//! ```sh
//! cargo run --example deadlock
//! ```
//!
//! Look for: two transfers, each of which has locked one account and waits for the other. A timeout
//! detects it. The cure: both take the locks in the same order, and both finish.
//!
//! In Python: two `threading.Thread`s take two `threading.Lock`s in opposite order, and the program
//! never ends. Rust prevents data races, but not deadlocks. A future that waits can be dropped,
//! though, and that releases its locks.

mod pace;

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, Mutex};
use tokio::time::timeout;

/// An account. The account with the lower number is locked first.
struct Account {
    number: u32,
    balance: Mutex<i64>,
}

/// Locks `from`, then `to`. Two calls in opposite directions wait for each other for ever.
async fn transfer_crosswise(from: &Account, to: &Account, amount: i64, both_hold_one: &Barrier) {
    let mut from_balance = from.balance.lock().await;
    println!("transfer {} -> {}: holds {}, waits for {}", from.number, to.number, from.number, to.number);
    both_hold_one.wait().await; // forces the bad case every time
    let mut to_balance = to.balance.lock().await;
    *from_balance -= amount;
    *to_balance += amount;
}

/// Locks the account with the lower number first, whatever the direction. So no cycle can form.
async fn transfer_in_order(from: &Account, to: &Account, amount: i64) {
    let (low, high) = if from.number < to.number { (from, to) } else { (to, from) };
    let mut low_balance = low.balance.lock().await;
    tokio::task::yield_now().await; // gives the other transfer a chance to interfere
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
    // `join!` runs both at once, in this task. When the timeout drops it, it drops both futures and
    // releases their locks.
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
