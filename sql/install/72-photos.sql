-- 72-photos.sql: photos, put together of the pieces that trackers send.

-- As of 70-store.sql: the photos of the batch that is being stored.
DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_batch_photos(
            OUT device_id integer, OUT fix_time timestamptz, OUT digest bigint, OUT announced_at timestamptz,
            OUT camera text, OUT geom %1$I.geometry, OUT size bigint)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_batch_photos'
        LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 10
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_batch_photos() IS
'internal: photos that the batch being stored announces, in order of arrival';

CREATE FUNCTION @extschema@.pt621_batch_pieces(OUT photo_id bigint, OUT at integer, OUT bytes bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_batch_pieces'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_batch_pieces() IS
'internal: pieces of photos in the batch being stored';

CREATE FUNCTION @extschema@.pt621_batch_progress(
    OUT photo_id bigint, OUT received integer, OUT numbering text, OUT reason text, OUT last_piece_at timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_batch_progress'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_batch_progress() IS
'internal: photos that the batch being stored has pieces of, and how far they are then';

CREATE FUNCTION @extschema@.pt621_photo_file(photo_id bigint)
RETURNS bytea
LANGUAGE plpgsql STABLE STRICT COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT coalesce(p.jpeg, (SELECT string_agg(e.bytes, '' ORDER BY e.at)
                                       FROM pt621.photo_piece e
                                      WHERE e.photo_id = p.id))
              FROM pt621.photo p
             WHERE p.id = pt621_photo_file.photo_id);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_photo_file(bigint) IS
'the bytes of a photo, as far as they have come: most programs show the upper part of a JPEG that is cut short; argument: photo.id; NULL when nothing has come, or there is no such photo';

CREATE FUNCTION @extschema@.pt621_photo_complete(photos bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    photo bigint;
    whole bytea;
    -- Where a JPEG does not begin and end so, it was cut or mixed up.
    fault text;
BEGIN
    FOREACH photo IN ARRAY photos LOOP
        whole := @extschema@.pt621_photo_file(photo);
        fault := CASE WHEN substr(whole, 1, 2) <> '\xffd8' THEN format('not a JPEG: it begins with %s', substr(whole, 1, 4))
                      WHEN position('\xffd9'::bytea IN substr(whole, greatest(length(whole) - 63, 1))) = 0
                      THEN 'the JPEG has no end: it is cut short, or of several pictures' END;
        UPDATE pt621.photo p
           SET jpeg = whole,
               sha256 = sha256(whole),
               state = CASE WHEN fault IS NULL THEN 'complete' ELSE 'failed' END,
               reason = nullif(concat_ws('; ', fault, p.reason), '')
         WHERE p.id = photo;
        DELETE FROM pt621.photo_piece e WHERE e.photo_id = photo;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_photo_complete(bigint[]) IS
'internal: puts photos together of which all pieces are there';
