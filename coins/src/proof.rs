//! A poor man's proof of work.

use sha2::{Digest, Sha256};

use crate::AccountId;

/// The digits of the largest `u64`.
const MAX_DECIMAL_DIGITS: usize = 20;

/// What an account must find: nonces for which `sha256(sha256(account) ++ sha256(decimal nonce))` begins
/// with a zero byte. About one nonce in 256 does.
///
/// ```
/// use coins::Proof;
///
/// let proof = Proof::of(&"me".parse()?);
/// assert!(proof.accepts(190));
/// assert!(!proof.accepts(1));
/// # Ok::<(), coins::InvalidAccountId>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proof {
    // The same for every nonce of the account, so it is hashed once.
    account: [u8; 32],
}

impl Proof {
    /// The task of one account.
    pub fn of(account: &AccountId) -> Self {
        Self { account: Sha256::digest(account.as_str()).into() }
    }

    /// Whether a nonce proves work.
    pub fn accepts(&self, nonce: u64) -> bool {
        self.first_byte(nonce) == 0
    }

    /// The first byte of the nonce's hash, which is wanted to be zero.
    pub fn first_byte(&self, nonce: u64) -> u8 {
        let mut buffer = [0; MAX_DECIMAL_DIGITS];
        let nonce = Sha256::digest(decimal(nonce, &mut buffer));
        Sha256::new().chain_update(self.account).chain_update(nonce).finalize()[0]
    }
}

/// Writes a number into the end of the buffer: the search does this millions of times, and a `String` each
/// time would cost as much as a hash.
fn decimal(mut number: u64, buffer: &mut [u8; MAX_DECIMAL_DIGITS]) -> &[u8] {
    let mut start = MAX_DECIMAL_DIGITS;
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first_nonces(account: &str, count: usize) -> Vec<u64> {
        let proof = Proof::of(&account.parse().unwrap());
        (0..).filter(|nonce| proof.accepts(*nonce)).take(count).collect()
    }

    #[test]
    fn the_nonces_of_the_talk_are_the_first_ones_that_prove_work() {
        assert_eq!(first_nonces("me", 4), [190, 443, 486, 908]);
        assert_eq!(first_nonces("you", 3), [488, 1442, 1597]);
    }

    #[test]
    fn the_hash_is_the_one_of_the_definition() {
        let hash = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        let proof = Proof::of(&"né 🦀".parse().unwrap());
        for nonce in [0, 9, 10, 99, 100, 190, u64::MAX - 1, u64::MAX] {
            let inner = [hash("né 🦀".as_bytes()), hash(nonce.to_string().as_bytes())].concat();
            assert_eq!(proof.first_byte(nonce), hash(&inner)[0], "{nonce}");
        }
    }

    proptest! {
        #[test]
        fn decimal_writes_what_display_writes(number in any::<u64>(), shift in 0..64_u32) {
            let number = number >> shift;
            let mut buffer = [0; MAX_DECIMAL_DIGITS];
            let (written, wanted) = (decimal(number, &mut buffer), number.to_string());
            prop_assert_eq!(written, wanted.as_bytes());
        }
    }
}
