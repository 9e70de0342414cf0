# What an operator decides. Sizes come from one of profiles/*.tfvars.

variable "project" {
  type        = string
  description = "The id of the Google Cloud project. It should hold nothing else: names here are fixed."

  validation {
    condition     = can(regex("^[a-z][a-z0-9.:-]{3,62}$", var.project))
    error_message = "The project must be given by its id, such as my-relay-123456."
  }
}

variable "region" {
  type        = string
  description = "The region of everything, such as europe-west1."
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is named like us-central1."
  }
}

variable "environment" {
  type        = string
  description = "The namespace of this system's metrics, such as prod or staging."
  default     = "distrise"

  validation {
    condition     = can(regex("^[a-z0-9_-]{1,63}$", var.environment))
    error_message = "An environment has up to 63 lowercase letters, digits, - and _."
  }
}

variable "image" {
  type        = string
  description = "The container image, by digest. It makes a revision that gets no traffic here."

  validation {
    condition     = can(regex("^[a-z0-9.-]+/.+(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_.-]+)$", var.image))
    error_message = "An image is named like REGION-docker.pkg.dev/PROJECT/distrise/distrise@sha256:…"
  }
}

variable "deletion_protection" {
  type        = bool
  description = "Whether Terraform and Google refuse to delete the database and the services."
  default     = true
}

variable "monitoring_policies" {
  type        = bool
  description = "Alerts and objectives. Off at the very first deployment: Cloud Monitoring refuses a policy on a metric that nobody has written yet."
  default     = true
}

# Sizes.

variable "relay" {
  type = object({
    min_instances = number
    max_instances = number
    cpu           = string
    memory        = string
    concurrency   = number
    pool          = number
    # Bytes, for RELAY_…_BYTES_MAX and its like: together they must leave room in `memory`.
    window_bytes  = number
    pending_bytes = number
    answers_bytes = number
    send_bytes    = number
  })
  description = "The relay: instances, what one of them has, its database connections, its memory by use."

  validation {
    condition     = var.relay.min_instances >= 0 && var.relay.max_instances >= max(1, var.relay.min_instances)
    error_message = "The relay needs at least one instance at most, and no more at least than at most."
  }

  validation {
    condition     = var.relay.concurrency >= 100 && var.relay.concurrency <= 1000
    error_message = "One instance may have 100 to 1000 connections (Cloud Run's limit)."
  }

  validation {
    condition     = contains(["1", "2", "4", "8"], var.relay.cpu)
    error_message = "With fewer than 1 CPU Cloud Run sends one connection to an instance; allowed are 1, 2, 4, 8."
  }

  validation {
    condition     = can(regex("^[0-9]+Gi$", var.relay.memory))
    error_message = "Memory is given in whole Gi, such as 2Gi."
  }
}

variable "functions" {
  type = map(object({
    max_instances = number
    cpu           = string
    memory        = string
    concurrency   = number
    pool          = number
  }))
  description = "The functions store, fetch, upkeep and probe: instances at most, what one has, its connections."

  validation {
    condition     = toset(keys(var.functions)) == toset(["store", "fetch", "upkeep", "probe"])
    error_message = "Sizes must be given of store, fetch, upkeep and probe, and of nothing else."
  }

  validation {
    condition     = alltrue([for size in values(var.functions) : size.max_instances >= 1 && size.concurrency >= 1])
    error_message = "Each function needs an instance and a request at least."
  }
}

variable "database" {
  type = object({
    edition         = string
    tier            = string
    high_available  = bool
    disk_gigabytes  = number
    disk_limit      = number
    max_connections = number
    backups         = number
    log_days        = number
  })
  description = "Cloud SQL: edition, machine, standby, disk now and at most (GB), connections, daily backups kept, days to any second of which can be gone back."

  validation {
    condition     = contains(["ENTERPRISE", "ENTERPRISE_PLUS"], var.database.edition)
    error_message = "The edition is ENTERPRISE or ENTERPRISE_PLUS."
  }

  validation {
    condition     = (var.database.edition == "ENTERPRISE_PLUS") == startswith(var.database.tier, "db-perf-optimized-")
    error_message = "ENTERPRISE_PLUS takes db-perf-optimized-… machines, ENTERPRISE takes all others."
  }

  validation {
    condition     = var.database.log_days >= 1 && var.database.log_days <= (var.database.edition == "ENTERPRISE_PLUS" ? 35 : 7)
    error_message = "Logs are kept for 1 to 7 days, with ENTERPRISE_PLUS to 35."
  }

  validation {
    condition     = var.database.disk_gigabytes >= 10 && var.database.disk_limit >= var.database.disk_gigabytes
    error_message = "A disk has 10 GB at least, and its limit is no smaller than itself."
  }

  validation {
    condition     = var.database.backups >= 1 && var.database.backups <= 365
    error_message = "1 to 365 backups are kept."
  }
}

variable "database_instance" {
  type        = string
  description = "The name of the Cloud SQL instance. infra/restore.sh makes others, and the pipeline gives it."
  default     = "distrise"

  validation {
    condition     = can(regex("^distrise(-[a-z0-9-]{1,40})?$", var.database_instance))
    error_message = "An instance is named distrise, or distrise- and what infra/restore.sh put behind it."
  }
}

variable "database_taken_in" {
  type        = bool
  description = "Whether the instance was made by infra/restore.sh and is not in Terraform's state yet."
  default     = false
}

variable "read_replica" {
  type = object({
    nodes = number
    tier  = optional(string, "")
    pool  = optional(number, 4)
    name  = optional(string, "1")
  })
  description = "A read replica of the database that answers REQs: nodes (0: none; more than 1 only with ENTERPRISE_PLUS, as a read pool), machine of each (the primary's by default), connections of each relay instance to it, and the end of its name, another one for one that is made anew within a week."
  default     = { nodes = 0 }

  validation {
    condition     = contains(range(var.database.edition == "ENTERPRISE_PLUS" ? 21 : 2), var.read_replica.nodes)
    error_message = "ENTERPRISE has one replica at most, ENTERPRISE_PLUS a read pool of up to 20 nodes."
  }

  validation {
    condition     = var.read_replica.tier == "" || (var.database.edition == "ENTERPRISE_PLUS") == startswith(var.read_replica.tier, "db-perf-optimized-")
    error_message = "A replica's machine is of the primary's edition."
  }

  validation {
    condition     = var.read_replica.pool >= 1 && var.read_replica.pool <= 100
    error_message = "A relay instance has 1 to 100 connections to the replica."
  }

  validation {
    condition     = can(regex("^[a-z0-9]{1,20}$", var.read_replica.name))
    error_message = "The end of the replica's name is of 1 to 20 letters and digits."
  }
}

variable "watch" {
  type        = bool
  description = "The probe and the uptime check, every minute, with their alerts. They keep one instance of the relay awake; without them one that may have no instances sleeps while nobody is connected."
  default     = true
}

variable "follow" {
  type        = bool
  description = "A worker that keeps subscriptions open at other relays, for seconds instead of minutes."
  default     = false
}

variable "archive" {
  type        = bool
  description = "Whether Pub/Sub writes all that is accepted into a bucket as well, from which `distrise import` brings it back."
  default     = false
}

variable "archive_days" {
  type        = number
  description = "Days after which the archive deletes; seven more, and Google has it no longer either. What authors delete or let vanish stays there as long."
  default     = 30

  validation {
    condition     = var.archive_days >= 1 && var.archive_days <= 3650 && floor(var.archive_days) == var.archive_days
    error_message = "The archive keeps 1 to 3650 whole days."
  }
}

# What the relay says of itself, and its rules. README.md and functions/*/configuration.ts have all.

variable "relay_name" {
  type        = string
  description = "The name shown to people (NIP-11)."
  default     = "Distrise"
}

variable "relay_description" {
  type        = string
  description = "Plain text about the relay (NIP-11)."
  default     = "A Nostr relay"
}

variable "relay_contact" {
  type        = string
  description = "Another way to reach the operator, such as mailto:someone@example.com (NIP-11)."
  default     = ""
}

variable "relay_pubkey" {
  type        = string
  description = "The operator's public key, 64 lowercase hex characters (NIP-11)."
  default     = ""

  validation {
    condition     = can(regex("^([0-9a-f]{64})?$", var.relay_pubkey))
    error_message = "A public key has 64 lowercase hex characters."
  }
}

variable "event_bytes_max" {
  type        = number
  description = "The largest event in bytes, for relay, store and fetch alike."
  default     = 262144

  validation {
    condition     = var.event_bytes_max >= 1024 && var.event_bytes_max <= 4000000
    error_message = "1024 to 4000000: Pub/Sub carries messages up to 10 MB."
  }
}

variable "settings" {
  type = object({
    # Rules on events (RELAY_CONTENT_MAX, RELAY_KINDS_ALLOWED …), for the relay and fetch alike.
    writing = optional(map(string), {})
    relay   = optional(map(string), {})
    store   = optional(map(string), {})
    fetch   = optional(map(string), {})
    upkeep  = optional(map(string), {})
    probe   = optional(map(string), {})
  })
  description = "Further environment variables, by service; they win over those set here."
  default     = {}
}

variable "log_level" {
  type        = string
  description = "The least severity that is logged."
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warning", "error"], var.log_level)
    error_message = "debug, info, warning or error."
  }
}

variable "key_version" {
  type        = number
  description = "Raise it to make the keys of the probe and of fetch anew."
  default     = 1
}

# The edge.

variable "domain" {
  type        = string
  description = "A name such as relay.example.com. With it a load balancer stands before the relay, with a certificate and Cloud Armor; without it the relay has its run.app address."
  default     = ""

  validation {
    condition     = can(regex("^([a-z0-9-]+(\\.[a-z0-9-]+)+)?$", var.domain))
    error_message = "A domain is named like relay.example.com."
  }
}

variable "only_load_balancer" {
  type        = bool
  description = "Closes the run.app address, so that nobody comes past the load balancer of the domain. To be set once its certificate is ACTIVE: before, nobody could come at all. Until it is set, everybody who comes by the domain counts as one address."
  default     = false
}

variable "connects_per_minute" {
  type        = number
  description = "New connections and page views a minute of one address that Cloud Armor lets through, where there is a domain."
  default     = 120
}

# Whom to tell.

variable "alert_emails" {
  type        = list(string)
  description = "Addresses that every alert is sent to."
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "An address of e-mail is named like someone@example.com."
  }
}

variable "paging_channels" {
  type        = list(string)
  description = "Full names of existing notification channels for what must wake somebody up: projects/PROJECT/notificationChannels/ID."
  default     = []
}

variable "billing_account" {
  type        = string
  description = "The id of the billing account (012345-567890-ABCDEF). With it a budget watches the project."
  default     = ""

  validation {
    condition     = can(regex("^([0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})?$", var.billing_account))
    error_message = "A billing account is named like 012345-567890-ABCDEF."
  }
}

variable "budget_units" {
  type        = number
  description = "What a month may cost, in the currency of the billing account."
  default     = 100
}

variable "budget_steps" {
  type        = string
  description = "What the system does to cost less, by the share of the budget that is spent: fetch (no visits to other relays), limits (smaller ones for clients), read-only; or off."
  default     = "0.8:fetch,0.9:limits,1.2:read-only"

  validation {
    condition     = can(regex("^(off|[0-9]{1,2}([.][0-9]{1,4})?:(fetch|limits|read-only)(,[0-9]{1,2}([.][0-9]{1,4})?:(fetch|limits|read-only))*)$", var.budget_steps))
    error_message = "Steps are named like 0.8:fetch,0.9:limits,1.2:read-only; or off."
  }

  # Upkeep takes no others, and would not start.
  validation {
    condition = (
      length(regexall("(^|,)0+([.]0+)?:", var.budget_steps)) == 0 &&
      length(regexall(":[^,]+", var.budget_steps)) == length(distinct(regexall(":[^,]+", var.budget_steps)))
    )
    error_message = "A share is more than 0, and no step is given twice."
  }
}
