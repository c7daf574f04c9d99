use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::OfficeId;

/// What a party is to the service. Each call is for certain roles, and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A statistical office: a side of agreements.
    Office,
    /// Reads released tables of agreements that name it.
    Researcher,
    /// Follows the runs of agreements that name it, and how good their links are.
    Administrator,
    /// Reads the audit log, and how good links are in agreements that name it.
    Auditor,
    /// Runs the service. Reads no dataset, no link and no table.
    Operator,
}

/// A word that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown role; known are office, researcher, administrator, auditor and operator")]
pub struct RoleError;

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Office,
        Self::Researcher,
        Self::Administrator,
        Self::Auditor,
        Self::Operator,
    ];

    /// Whether an agreement may let a party in this role read.
    pub const fn may_be_reader(self) -> bool {
        match self {
            Self::Researcher | Self::Administrator | Self::Auditor => true,
            Self::Office | Self::Operator => false,
        }
    }

    /// The word in settings, certificates and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Researcher => "researcher",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RoleError)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who makes a call, as its certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The party's short name; of an office, its id in agreements.
    pub party: OfficeId,
    /// What it is to the service.
    pub role: Role,
}

impl Caller {
    /// An office.
    pub const fn office(id: OfficeId) -> Self {
        Self {
            party: id,
            role: Role::Office,
        }
    }
}
