locals {
  # A domain may be set long before its name and its certificate are there: closing is a decision of its own.
  only_load_balancer = var.domain != "" && var.only_load_balancer
  # Where the relay is reached for certain.
  relay_host = local.only_load_balancer ? var.domain : trimprefix(google_cloud_run_v2_service.relay.uri, "https://")
}

resource "google_cloud_run_v2_service" "relay" {
  name                = "relay"
  location            = var.region
  description         = "Distrise: the relay that clients speak to"
  deletion_protection = var.deletion_protection

  # Closed, nobody comes past the load balancer and Cloud Armor; the run.app address then is for the
  # pipeline, which looks at a new revision from inside the network.
  ingress = local.only_load_balancer ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_ALL"
  # Public, also where the organisation forbids allUsers.
  invoker_iam_disabled = true

  scaling {
    min_instance_count = var.relay.min_instances
    max_instance_count = var.relay.max_instances
  }

  template {
    service_account       = data.google_service_account.service["relay"].email
    execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
    # A socket is a request; the relay ends it earlier, at an age of its own for each.
    timeout                          = "3600s"
    max_instance_request_concurrency = var.relay.concurrency
    # A client that comes back finds its own last events at once.
    session_affinity = true

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"

      network_interfaces {
        network    = google_compute_network.main.id
        subnetwork = google_compute_subnetwork.services.id
      }
    }

    containers {
      name    = "relay"
      image   = var.image
      command = ["node"]
      args    = ["dist/functions/relay/main.js"]

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = var.relay.cpu
          memory = var.relay.memory
        }
        # Billed for the instance's whole life: its timers and its stream go on without a request.
        cpu_idle          = false
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60

        http_get {
          path = "/healthz"
        }
      }

      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 5
        failure_threshold = 4

        http_get {
          path = "/healthz"
        }
      }

      dynamic "env" {
        for_each = merge(
          local.environment_common,
          local.environment_topics,
          local.environment_database,
          local.environment_events,
          local.environment_relay,
          var.settings.writing,
          var.settings.relay,
        )

        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    # A new image comes with its own environment, in a revision that gets no traffic: the pipeline has
    # tied all of it to the one that serves (hold.sh), and moves it once the new one is checked.
    ignore_changes = [client, client_version, traffic]
  }

  depends_on = [
    google_project_iam_member.service,
    google_project_iam_member.fast_lane,
    google_pubsub_topic_iam_member.service,
    google_sql_user.service,
  ]
}
