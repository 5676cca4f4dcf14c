//! Inputs that are globs for objects in cloud stores.

use raudal_common::Result;
use raudal_fetch::Client;
use raudal_source::Input;

/// Returns the inputs, with the objects of each glob in its place.
///
/// # Errors
///
/// Fails with the error of the first glob that cannot be listed or that nothing matches, because the list of inputs
/// would be incomplete.
pub async fn listed(inputs: impl IntoIterator<Item = Input>, client: &Client) -> Result<Vec<Input>> {
    let mut listed = Vec::new();
    for input in inputs {
        match &input.glob {
            Some(glob) => listed.extend(client.list(glob).await?),
            None => listed.push(input),
        }
    }
    Ok(listed)
}
