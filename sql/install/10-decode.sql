-- 10-decode.sql: bytes to rows, without any table.

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($type$
        CREATE TYPE @extschema@.pt621_record AS (
            seq          integer,
            kind         text,
            code         text,
            event        text,
            ident        text,
            device_time  timestamptz,
            valid        boolean,
            geom         %I.geometry,
            speed_kmh    real,
            course       real,
            stored       boolean,
            delta        boolean,
            inputs       varbit,
            outputs      varbit,
            adc          integer[],
            odometer_m   bigint,
            driver       text,
            battery      smallint,
            gsm          smallint,
            satellites   smallint,
            gsb          text,
            spec         text,
            photo_size   integer,
            photo_id     text,
            photo_offset integer,
            photo_data   bytea,
            imei         text,
            firmware     text,
            hardware     text,
            quality      integer,
            record       bytea,
            raw          bytea,
            error        text)
        $type$, postgis);
END
$$;

COMMENT ON TYPE @extschema@.pt621_record IS
'one unit of a tracker''s byte stream: a report, status, photo chunk, delta, text or run of garbage';
COMMENT ON COLUMN @extschema@.pt621_record.seq          IS 'place of the unit in the value, from 1';
COMMENT ON COLUMN @extschema@.pt621_record.kind         IS 'report, status, photo_chunk, delta (one that found no base), text or garbage';
COMMENT ON COLUMN @extschema@.pt621_record.code         IS 'code as sent: POS, IN1, CPA, PHO, FUS, PHD, ...';
COMMENT ON COLUMN @extschema@.pt621_record.event        IS 'what the code means, as pt621_event() gives it; NULL for POS, FUS, PHD';
COMMENT ON COLUMN @extschema@.pt621_record.ident        IS 'the tracker''s id as sent, leading zeros kept; of a status, its IMEI';
COMMENT ON COLUMN @extschema@.pt621_record.device_time  IS 'UTC time that the tracker gives, plausible or not';
COMMENT ON COLUMN @extschema@.pt621_record.valid        IS 'fix flag A, and there are coordinates';
COMMENT ON COLUMN @extschema@.pt621_record.geom         IS 'point, SRID 4326; the last known place where valid is false';
COMMENT ON COLUMN @extschema@.pt621_record.speed_kmh    IS 'km/h (knots on the wire)';
COMMENT ON COLUMN @extschema@.pt621_record.course       IS 'degrees clockwise from north, 0 to 360';
COMMENT ON COLUMN @extschema@.pt621_record.stored       IS 'the tracker sent it from its memory (trailing #)';
COMMENT ON COLUMN @extschema@.pt621_record.delta        IS 'sent as a delta';
COMMENT ON COLUMN @extschema@.pt621_record.inputs       IS 'digital inputs, leftmost = input 1';
COMMENT ON COLUMN @extschema@.pt621_record.outputs      IS 'digital outputs, leftmost = output 1';
COMMENT ON COLUMN @extschema@.pt621_record.adc          IS 'analog inputs, raw counts; NULL element = could not be read';
COMMENT ON COLUMN @extschema@.pt621_record.odometer_m   IS 'odometer as sent; metres on most models';
COMMENT ON COLUMN @extschema@.pt621_record.driver       IS 'driver or RFID id as sent';
COMMENT ON COLUMN @extschema@.pt621_record.battery      IS 'level 0 to 15: first digit of gsb (order unverified)';
COMMENT ON COLUMN @extschema@.pt621_record.gsm          IS 'level 0 to 15: second digit of gsb (order unverified)';
COMMENT ON COLUMN @extschema@.pt621_record.satellites   IS '0 to 15: third digit of gsb (order unverified)';
COMMENT ON COLUMN @extschema@.pt621_record.gsb          IS 'the three status digits as sent';
COMMENT ON COLUMN @extschema@.pt621_record.spec         IS 'everything behind gsb, as sent';
COMMENT ON COLUMN @extschema@.pt621_record.photo_size   IS 'announced photo: bytes; 0 = no picture was taken';
COMMENT ON COLUMN @extschema@.pt621_record.photo_id     IS 'announced photo: camera or picture number as sent';
COMMENT ON COLUMN @extschema@.pt621_record.photo_offset IS 'photo chunk: its first number, an offset in bytes as far as is known';
COMMENT ON COLUMN @extschema@.pt621_record.photo_data   IS 'photo chunk: its bytes';
COMMENT ON COLUMN @extschema@.pt621_record.imei         IS 'status: IMEI';
COMMENT ON COLUMN @extschema@.pt621_record.firmware     IS 'status: firmware version';
COMMENT ON COLUMN @extschema@.pt621_record.hardware     IS 'status: second version, probably of the hardware';
COMMENT ON COLUMN @extschema@.pt621_record.quality      IS 'bits for what could not be read, named by pt621_quality(); 0 = all was';
COMMENT ON COLUMN @extschema@.pt621_record.record       IS 'the record that a delta stands for, with its line end';
COMMENT ON COLUMN @extschema@.pt621_record.raw          IS 'the bytes of the unit; in order of seq they are the value';
COMMENT ON COLUMN @extschema@.pt621_record.error        IS 'why the unit could not be decoded, and at which byte of raw (from 0)';

CREATE FUNCTION @extschema@.pt621_decode(bytea)
RETURNS SETOF @extschema@.pt621_record
AS 'MODULE_PATHNAME', 'pt621_decode'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION @extschema@.pt621_decode(bytea) IS
'decodes a byte stream or one frame: one row per unit, in order; the end of the value ends a unit; never fails';

CREATE FUNCTION @extschema@.pt621_decode_reads(bytea[])
RETURNS SETOF @extschema@.pt621_record
AS 'MODULE_PATHNAME', 'pt621_decode_reads'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION @extschema@.pt621_decode_reads(bytea[]) IS
'decodes the reads of one connection: as pt621_decode() of the elements joined; NULL elements are skipped';

CREATE FUNCTION @extschema@.pt621_decode_datagrams(bytea[])
RETURNS SETOF @extschema@.pt621_record
AS 'MODULE_PATHNAME', 'pt621_decode_datagrams'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION @extschema@.pt621_decode_datagrams(bytea[]) IS
'decodes datagrams of one tracker: the end of an element ends a unit, deltas find their base in any element; NULL elements are skipped';

CREATE FUNCTION @extschema@.pt621_event(code text)
RETURNS text
AS 'MODULE_PATHNAME', 'pt621_event_sql'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_event(text) IS
'what a code means: sos, overspeed, power_cut, ...; NULL for POS; a code without a documented meaning is its own letters in lower case';

CREATE FUNCTION @extschema@.pt621_quality(quality integer)
RETURNS text[]
AS 'MODULE_PATHNAME', 'pt621_quality_sql'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_quality(integer) IS
'names of the bits set in a quality column, lowest first; an empty array for 0';
