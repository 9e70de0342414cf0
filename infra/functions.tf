# The functions, all of one image, each started by functions-framework; nobody outside reaches them.

locals {
  # How long a call may take. Pub/Sub waits as long (ack_deadline_seconds).
  store_seconds = 60
  fetch_seconds = 600

  framework = "node_modules/@google-cloud/functions-framework/build/src/main.js"

  functions = {
    store = {
      description = "Distrise: validates events and writes them"
      seconds     = local.store_seconds
      database    = true
      arguments   = [local.framework, "--target=store", "--source=dist/functions/store/function.js", "--signature-type=http"]
      environment = merge(
        local.environment_common,
        local.environment_topics,
        local.environment_database,
        local.environment_events,
        local.environment_store,
        var.settings.store,
      )
      secrets = {}
    }

    fetch = {
      description = "Distrise: brings events from other relays"
      seconds     = local.fetch_seconds
      database    = true
      arguments   = [local.framework, "--target=fetch", "--source=dist/functions/fetch/function.js", "--signature-type=http"]
      environment = merge(
        local.environment_common,
        local.environment_topics,
        local.environment_database,
        local.environment_events,
        local.environment_fetch,
        var.settings.writing,
        var.settings.fetch,
      )
      secrets = { FETCH_SECRET_KEY = "fetch" }
    }

    upkeep = {
      description = "Distrise: partitions, retention, sweeping, replay"
      seconds     = 300
      database    = true
      arguments   = [local.framework, "--target=upkeep", "--source=dist/functions/upkeep/function.js", "--signature-type=http"]
      environment = merge(
        local.environment_common,
        local.environment_topics,
        local.environment_database,
        local.environment_upkeep,
        var.settings.upkeep,
      )
      secrets = {}
    }

    probe = {
      description = "Distrise: a client that looks every minute"
      seconds     = 120
      database    = false
      arguments   = [local.framework, "--target=probe", "--source=dist/functions/probe/function.js", "--signature-type=http"]
      environment = merge(
        local.environment_common,
        local.environment_probe,
        var.settings.probe,
      )
      secrets = { PROBE_SECRET_KEY = "probe" }
    }
  }
}

resource "google_cloud_run_v2_service" "function" {
  for_each = local.functions

  name                = each.key
  location            = var.region
  description         = each.value.description
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  scaling {
    max_instance_count = var.functions[each.key].max_instances
  }

  template {
    service_account                  = data.google_service_account.service[each.key].email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "${each.value.seconds}s"
    max_instance_request_concurrency = var.functions[each.key].concurrency

    dynamic "vpc_access" {
      for_each = each.value.database ? [true] : []

      content {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = google_compute_network.main.id
          subnetwork = google_compute_subnetwork.services.id
        }
      }
    }

    containers {
      name    = each.key
      image   = var.image
      command = ["node"]
      args    = each.value.arguments

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = var.functions[each.key].cpu
          memory = var.functions[each.key].memory
        }
        # Billed while there is a request.
        cpu_idle          = true
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60

        tcp_socket {
          port = 8080
        }
      }

      dynamic "env" {
        for_each = each.value.environment

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = each.value.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.key[env.value].secret_id
              version = google_secret_manager_secret_version.key[env.value].version
            }
          }
        }
      }
    }
  }

  lifecycle {
    # As of the relay.
    ignore_changes = [client, client_version, traffic]
  }

  depends_on = [
    google_project_iam_member.service,
    google_secret_manager_secret_iam_member.key,
    google_sql_user.service,
  ]
}

# Brings the database to the schema of its image. The pipeline runs it once, before any service.
resource "google_cloud_run_v2_job" "migrate" {
  name                = "migrate"
  location            = var.region
  deletion_protection = var.deletion_protection

  template {
    task_count = 1

    template {
      service_account = data.google_service_account.service["upkeep"].email
      timeout         = "3600s"
      # The pipeline stops at a failure and says so; trying again by itself would hide it.
      max_retries = 0

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = google_compute_network.main.id
          subnetwork = google_compute_subnetwork.services.id
        }
      }

      containers {
        name    = "migrate"
        image   = var.image
        command = ["node"]
        args    = ["dist/functions/upkeep/migrate-main.js"]

        resources {
          limits = {
            cpu    = "1"
            memory = "512Mi"
          }
        }

        dynamic "env" {
          for_each = merge(
            local.environment_database,
            local.environment_migrate,
          )

          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [google_project_iam_member.service, google_sql_user.service]
}

# Follows other relays by open subscriptions: one instance, since a second one would do the same.
resource "google_cloud_run_v2_worker_pool" "follow" {
  count = var.follow ? 1 : 0

  name        = "follow"
  location    = var.region
  description = "Distrise: follows other relays"
  # It holds no data, and a profile without it must be able to take it away.
  deletion_protection = false

  scaling {
    manual_instance_count = 1
  }

  template {
    service_account = data.google_service_account.service["fetch"].email

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = google_compute_network.main.id
        subnetwork = google_compute_subnetwork.services.id
      }
    }

    containers {
      name    = "follow"
      image   = var.image
      command = ["node"]
      args    = ["dist/functions/fetch/follow-main.js"]

      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
      }

      dynamic "env" {
        for_each = merge(
          local.environment_common,
          local.environment_topics,
          local.environment_database,
          local.environment_events,
          local.environment_follow,
          var.settings.writing,
          var.settings.fetch,
        )

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.functions.fetch.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.key[env.value].secret_id
              version = google_secret_manager_secret_version.key[env.value].version
            }
          }
        }
      }
    }
  }

  lifecycle {
    # As of the services: hold.sh has tied its instance to a revision.
    ignore_changes = [client, client_version, instance_splits]
  }

  depends_on = [
    google_project_iam_member.service,
    google_pubsub_topic_iam_member.service,
    google_secret_manager_secret_iam_member.key,
    google_sql_user.service,
  ]
}
