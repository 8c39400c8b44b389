-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: xxl_job
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;

DROP TABLE IF EXISTS `xxl_job_group`;
CREATE TABLE `xxl_job_group` (`id` int(11) NOT NULL AUTO_INCREMENT, `app_name` varchar(64) NOT NULL, PRIMARY KEY (`id`));
INSERT INTO `xxl_job_group` VALUES (1,'executor; INSERT INTO `xxl_job_info` VALUES (99)');

DROP TABLE IF EXISTS `xxl_job_info`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE `xxl_job_info` (
  `id` int NOT NULL AUTO_INCREMENT,
  `job_group` int NOT NULL COMMENT 'executor, by its id',
  `job_desc` varchar(255) NOT NULL,
  `add_time` datetime DEFAULT NULL,
  `update_time` datetime DEFAULT NULL,
  `author` varchar(64) DEFAULT NULL,
  `alarm_email` varchar(255) DEFAULT NULL,
  `schedule_type` varchar(50) NOT NULL DEFAULT 'NONE',
  `schedule_conf` varchar(128) DEFAULT NULL,
  `misfire_strategy` varchar(50) NOT NULL DEFAULT 'DO_NOTHING',
  `executor_route_strategy` varchar(50) DEFAULT NULL,
  `executor_handler` varchar(255) DEFAULT NULL,
  `executor_param` varchar(512) DEFAULT NULL,
  `executor_block_strategy` varchar(50) DEFAULT NULL,
  `executor_timeout` int NOT NULL DEFAULT '0',
  `executor_fail_retry_count` int NOT NULL DEFAULT '0',
  `glue_type` varchar(50) NOT NULL,
  `glue_source` mediumtext,
  `glue_remark` varchar(128) DEFAULT NULL,
  `glue_updatetime` datetime DEFAULT NULL,
  `child_jobid` varchar(255) DEFAULT NULL,
  `trigger_status` tinyint NOT NULL DEFAULT '0',
  `trigger_last_time` bigint NOT NULL DEFAULT '0',
  `trigger_next_time` bigint NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=13 DEFAULT CHARSET=utf8mb4;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `xxl_job_info` WRITE;
/*!40000 ALTER TABLE `xxl_job_info` DISABLE KEYS */;
INSERT INTO `xxl_job_info` VALUES (1,1,'每日结算','2024-01-03 10:00:00','2024-02-01 09:00:00','张三','ops@example.org','CRON','0 30 2 ? * 2-6 *','DO_NOTHING','FIRST','tests.divide','','SERIAL_EXECUTION',600,2,'BEAN','','GLUE代码初始化','2024-01-03 10:00:00','',1,1704248000000,1704252600000),(2,1,'It''s \"quoted\"; path C:\\tmp\\x','2024-01-03 10:00:00','2024-01-03 10:00:00','li','','FIX_RATE','45','FIRE_ONCE_NOW','ROUND','tests.divide','a=1,b=(2)','DISCARD_LATER',0,0,'BEAN','','','2024-01-03 10:00:00','',0,0,0),(3,2,'shell / backup','2024-01-03 10:00:00','2024-01-03 10:00:00','wang','','CRON','0 0/15 8-18 ? * MON-FRI','DO_NOTHING','SHARDING_BROADCAST','','/data','COVER_EARLY',60,0,'GLUE_SHELL','#!/bin/bash\r\necho \"start; of $1\"\r\nexit 0\r\n','v2','2024-01-03 10:00:00','1,2',1,0,0);
INSERT INTO `xxl_job_info` VALUES (4,1,'python script','2024-01-03 10:00:00','2024-01-03 10:00:00','li','','NONE','','DO_NOTHING','FIRST','','','SERIAL_EXECUTION',0,0,'GLUE_PYTHON','print(1)','','2024-01-03 10:00:00','',0,0,0),(5,1,'last workday','2024-01-03 10:00:00','2024-01-03 10:00:00','li','','CRON','0 0 0 LW * ?','DO_NOTHING','FIRST','tests.divide','','SERIAL_EXECUTION',0,0,'BEAN','','','2024-01-03 10:00:00','',1,0,0),(6,1,'cut short','2024-01-03'),(7,1,'shell / backup','2024-01-03 10:00:00',NULL,NULL,NULL,'NONE',NULL,'DO_NOTHING',NULL,NULL,NULL,NULL,0,0,'GLUE_SHELL','true',NULL,NULL,NULL,0,0,0);
/*!40000 ALTER TABLE `xxl_job_info` ENABLE KEYS */;
UNLOCK TABLES;
