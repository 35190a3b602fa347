//! What can change while the server runs: the settings, the certificate and the site, behind one swap.
//!
//! A reload builds a new [`Live`] and swaps it in. Each connection takes one `Arc` of it when it is
//! accepted and uses that for its whole handshake, so that a request never sees half of a reload.
//! After that it only looks, with each read, whether there has been another swap, and then takes its
//! limits from the new one. Which settings may differ from those at the start is decided in `settings`.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use crate::clock;
use crate::error::StartError;
use crate::memory::Memory;
use crate::net::admission::AdmissionLimits;
use crate::net::sockets::Peer;
use crate::net::tls::{Expiry, RenewalWatch, TlsAcceptor};
use crate::settings::{AllowedOrigins, Settings};
use crate::web::{self, Site};

/// Settings that are in use, with the files they name.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) site: Arc<Site>,
    pub(crate) origins: AllowedOrigins,
    pub(crate) told: Told,
    /// How many connections there is memory for.
    max_connections: usize,
    /// Counts the swaps.
    generation: u64,
}

/// What the operator has been warned of. Once is enough for each, until the next reload.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) unreadable_hop: Once,
    pub(crate) ambiguous_hops: Once,
    pub(crate) unknown_name: Once,
    pub(crate) bad_proxy_header: Once,
    certificate: Once,
}

/// Something that is done once.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

/// The [`Live`] that new connections get.
#[derive(Debug)]
pub(crate) struct LiveCell {
    live: RwLock<Arc<Live>>,
    /// That of `live`.
    generation: AtomicU64,
}

impl Live {
    /// Checks the settings, and reads the certificate and the pictures that they name.
    pub(crate) fn load(settings: Settings) -> Result<Self, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let tls = load_tls(&settings)?;
        let site = Arc::new(load_site(&settings)?);
        let (origins, told) = (settings.origins(), Told::default());
        let memory = Memory::of_settings(settings.limits.max_memory_bytes);
        let max_connections = memory.max_connections();
        Ok(Self { settings, tls, site, origins, told, max_connections, generation: 0 })
    }

    /// Differs between any two that one [`LiveCell`] has had.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this peer is believed when it says for whom it speaks. Who may connect to a Unix socket is the
    /// choice of the operator, by the mode of its directory.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        peer == Peer::Unix || self.is_proxy(&peer.ip())
    }

    /// Whether this is the address of a trusted proxy.
    pub(crate) fn is_proxy(&self, address: &IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|net| net.contains(address))
    }

    /// The same with a certificate that the files have now, if that is another one. What happens is logged.
    pub(crate) fn renew(&self, watch: &mut RenewalWatch, now: Instant) -> Option<Self> {
        let (current, (certificate, private_key)) = self.tls.as_ref().zip(self.tls_files())?;
        let renewed = watch.look(current, certificate, private_key, now)?;
        Some(Self {
            settings: self.settings.clone(),
            tls: Some(renewed),
            site: self.site.clone(),
            origins: self.settings.origins(),
            told: Told::default(),
            max_connections: self.max_connections,
            generation: self.generation,
        })
    }

    /// The files of the certificate and of its key.
    fn tls_files(&self) -> Option<(&Path, &Path)> {
        self.settings.certificate.as_deref().zip(self.settings.private_key.as_deref())
    }

    /// What clients do not like about the certificate, and the certificates that have expired or soon will, one
    /// line each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.findings();
        warnings.extend(self.ask_expiry(Expiry::warnings));
        warnings
    }

    /// The warnings that have not been logged yet.
    pub(crate) fn new_warnings(&self) -> Vec<String> {
        let is_new = self.told.certificate.is_first();
        let mut warnings = if is_new { self.findings() } else { Vec::new() };
        warnings.extend(self.ask_expiry(Expiry::news));
        warnings
    }

    fn findings(&self) -> Vec<String> {
        let tls = self.tls.as_ref().zip(self.tls_files());
        let domain = self.settings.domain.as_deref();
        tls.map(|(tls, (file, _))| tls.findings(file, domain)).unwrap_or_default()
    }

    /// What to tell of the certificates at present, if there are any.
    pub(crate) fn ask_expiry<T>(&self, ask: impl FnOnce(&Expiry, i64) -> Vec<T>) -> Vec<T> {
        let now = clock::unix_seconds(SystemTime::now());
        self.tls.as_ref().map(|tls| ask(tls.expiry(), now)).unwrap_or_default()
    }

    /// How much an outbox may hold, and for how long.
    pub(crate) fn outbox_bounds(&self) -> (usize, Duration) {
        let limits = &self.settings.limits;
        (limits.outbox_max_bytes, Duration::from_millis(limits.write_timeout_ms))
    }

    pub(crate) fn admission_limits(&self) -> AdmissionLimits {
        let limits = &self.settings.limits;
        AdmissionLimits {
            max_connections: match limits.max_connections {
                0 => self.max_connections,
                max => max.min(self.max_connections),
            },
            max_per_source: limits.max_connections_per_ip,
            max_handshakes: limits.max_handshakes,
            max_handshakes_per_source: limits.max_handshakes_per_ip,
            connects_per_second: limits.connects_per_second,
            connect_burst: limits.connect_burst,
        }
    }
}

impl Once {
    /// Whether this is the first call.
    pub(crate) fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl LiveCell {
    pub(crate) fn new(live: Live) -> Self {
        let generation = AtomicU64::new(live.generation);
        Self { live: RwLock::new(Arc::new(live)), generation }
    }

    pub(crate) fn get(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The [`Live::generation`] of what [`LiveCell::get`] returns. For each read of each connection: it takes
    /// no lock.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn swap(&self, mut live: Live) {
        let mut current = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.generation = current.generation + 1;
        let generation = live.generation;
        *current = Arc::new(live);
        drop(current);
        // Whoever sees the new number finds at least this `Live`.
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }
}

fn load_tls(settings: &Settings) -> Result<Option<TlsAcceptor>, StartError> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.private_key) else {
        return Ok(None);
    };
    TlsAcceptor::load(certificate, key).map(Some).map_err(StartError::Certificate)
}

/// The page as the settings have it, with the pictures of `gifsDirectory` or else the built-in ones.
fn load_site(settings: &Settings) -> Result<Site, StartError> {
    let pictures = match &settings.gifs_directory {
        None => web::own_gifs(),
        Some(directory) => web::read_gifs(directory, &settings.limits).map_err(StartError::Gifs)?,
    };
    let icon = settings.icon.as_deref().map(|file| web::read_icon(file, &settings.limits));
    let icon = icon.transpose().map_err(StartError::Icon)?;
    Ok(Site::new(pictures, settings, icon.as_ref()))
}
