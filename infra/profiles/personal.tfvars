# One person or a small group: everything at its smallest, the relay sleeps when nobody is connected.
# For that nothing may look at it every minute.
watch = false

relay = {
  min_instances = 0
  max_instances = 2
  cpu           = "1"
  memory        = "1Gi"
  concurrency   = 300
  pool          = 4
  window_bytes  = 67108864
  pending_bytes = 33554432
  answers_bytes = 134217728
  send_bytes    = 134217728
}

functions = {
  store  = { max_instances = 2, cpu = "1", memory = "512Mi", concurrency = 10, pool = 2 }
  fetch  = { max_instances = 1, cpu = "1", memory = "1Gi", concurrency = 4, pool = 4 }
  upkeep = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 2, pool = 4 }
  probe  = { max_instances = 1, cpu = "1", memory = "512Mi", concurrency = 1, pool = 0 }
}

database = {
  edition         = "ENTERPRISE"
  tier            = "db-g1-small"
  high_available  = false
  disk_gigabytes  = 10
  disk_limit      = 50
  max_connections = 50
  backups         = 7
  log_days        = 3
}

budget_units = 60
