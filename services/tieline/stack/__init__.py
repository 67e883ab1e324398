"""The local stack without containers: real Kafka, registry and ERP under a process supervisor."""
