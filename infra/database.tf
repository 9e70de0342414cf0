resource "google_sql_database_instance" "main" {
  # Changed by infra/restore.sh only.
  name             = var.database_instance
  region           = var.region
  database_version = "POSTGRES_18"

  # Terraform's own guard; the one below is Google's, for all others.
  deletion_protection = var.deletion_protection

  settings {
    # Written out: without it PostgreSQL 16 and later become ENTERPRISE_PLUS, which refuses small tiers.
    edition           = var.database.edition
    tier              = var.database.tier
    availability_type = var.database.high_available ? "REGIONAL" : "ZONAL"

    disk_type             = "PD_SSD"
    disk_size             = var.database.disk_gigabytes
    disk_autoresize       = true
    disk_autoresize_limit = var.database.disk_limit

    deletion_protection_enabled = var.deletion_protection
    # Nobody but Google's connectors, which bring a certificate and an identity.
    connector_enforcement = "REQUIRED"

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.main.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "03:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = var.database.log_days

      backup_retention_settings {
        retained_backups = var.database.backups
        retention_unit   = "COUNT"
      }
    }

    maintenance_window {
      day          = 2
      hour         = 4
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.database.max_connections)
    }

    database_flags {
      name  = "log_min_duration_statement"
      value = "2000"
    }
  }

  lifecycle {
    # It grows by itself; Terraform must not shrink it, which would mean a new one.
    ignore_changes = [settings[0].disk_size]
  }

  depends_on = [google_service_networking_connection.database, terraform_data.connections]
}

locals {
  # With Enterprise Plus a pool of nodes behind one name, else one replica.
  read_pool = var.database.edition == "ENTERPRISE_PLUS"
}

# Optional: answers REQs in the primary's place. It may lag; the relay asks the primary then. Users
# and their rights come from the primary.
resource "google_sql_database_instance" "replica" {
  count = var.read_replica.nodes > 0 ? 1 : 0

  # The name of an instance that was deleted is not free for a week.
  name                 = "${var.database_instance}-${local.read_pool ? "pool" : "replica"}-${var.read_replica.name}"
  region               = var.region
  database_version     = google_sql_database_instance.main.database_version
  master_instance_name = google_sql_database_instance.main.name
  instance_type        = local.read_pool ? "READ_POOL_INSTANCE" : "READ_REPLICA_INSTANCE"
  node_count           = local.read_pool ? var.read_replica.nodes : null

  # Nothing is lost with it.
  deletion_protection = false

  settings {
    edition = var.database.edition
    tier    = var.read_replica.tier == "" ? var.database.tier : var.read_replica.tier

    disk_type             = "PD_SSD"
    disk_autoresize       = true
    connector_enforcement = "REQUIRED"

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.main.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    insights_config {
      query_insights_enabled = true
    }

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }

    # PostgreSQL does not start as a standby with fewer than its primary.
    database_flags {
      name  = "max_connections"
      value = tostring(var.database.max_connections)
    }
  }

  lifecycle {
    ignore_changes = [settings[0].disk_size]
  }
}

resource "google_sql_database" "main" {
  name     = "distrise"
  instance = google_sql_database_instance.main.name

  # Its events go with the instance, which is protected, or not at all.
  deletion_policy = "ABANDON"
}

# IAM login: no password anywhere. Upkeep owns the tables, since it makes and drops partitions, and
# the migration runs as upkeep; that one grants to the others what they need.
resource "google_sql_user" "service" {
  for_each = local.database_logins

  name           = local.database_users[each.value]
  instance       = google_sql_database_instance.main.name
  type           = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles = each.value == "upkeep" ? ["cloudsqlsuperuser"] : []

  # One that owns tables cannot be removed, and goes with the instance.
  deletion_policy = "ABANDON"
}

# A restored instance is there already, with its database and its users: it is taken in as it is, once,
# by deploy/terraform.sh.
locals {
  database_logins = toset(["relay", "store", "fetch", "upkeep"])
  taken_in        = var.database_taken_in ? toset([var.database_instance]) : toset([])
}

import {
  for_each = local.taken_in
  to       = google_sql_database_instance.main
  id       = "projects/${var.project}/instances/${each.value}"
}

import {
  for_each = local.taken_in
  to       = google_sql_database.main
  id       = "projects/${var.project}/instances/${each.value}/databases/distrise"
}

import {
  for_each = var.database_taken_in ? local.database_logins : toset([])
  to       = google_sql_user.service[each.key]
  id       = "${var.project}/${var.database_instance}/distrise-${each.key}@${var.project}.iam"
}
